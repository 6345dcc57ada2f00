package mail

import "testing"

func TestDecode(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, in, want string }{
		{"plain", "Hello", "Hello"},
		{"Q", "=?utf-8?Q?Gr=C3=BC=C3=9Fe_an_alle?=", "Grüße an alle"},
		{"B", "=?UTF-8?b?R3LDvMOfZQ==?=", "Grüße"},
		{"Latin-1", "=?iso-8859-1?q?Gr=FC=DFe?=", "Grüße"},
		{"Windows", "=?windows-1252?Q?=80_5?=", "€ 5"},
		{"KOI8", "=?koi8-r?B?8NLJ18XU?=", "Привет"},
		{"Shift_JIS alias", "=?cp932?B?k/qWew==?=", "日本"},
		{"Korean", "=?ks_c_5601-1987?B?x9GxuQ==?=", "한국"},
		{"UTF-7", "=?utf-7?Q?Gr+APwA3w-e?=", "Grüße"},
		{"text around", "Re: =?utf-8?Q?=C3=A4?= and so on", "Re: ä and so on"},
		{"text adjacent", "Re:=?utf-8?Q?=C3=A4?=x", "Re:äx"},
		{"adjacent words", "=?utf-8?Q?a?= =?utf-8?Q?b?=\t =?utf-8?Q?c?=", "abc"},
		{"adjacent words of two charsets", "=?utf-8?Q?=C3=A4?= =?iso-8859-1?Q?=E4?=", "ää"},
		{"no blank between", "=?utf-8?Q?a?==?utf-8?Q?b?=", "ab"},
		{"character split between Q words", "=?utf-8?Q?=C3?= =?utf-8?Q?=BC?=", "ü"},
		{"character split between B words", "=?utf-8?B?R3LD?= =?utf-8?B?vMOfZQ==?=", "Grüße"},
		{"words cut from one base64 text", "=?utf-8?B?R3LDv?= =?utf-8?B?MOfZQ==?=", "Grüße"},
		{"words without padding", "=?utf-8?B?R3LDvA?= =?utf-8?B?w59l?=", "Grüße"},
		{"missing padding", "=?utf-8?B?R3LDvMOfZQ?=", "Grüße"},
		{"too much padding", "=?utf-8?B?R3LDvMOfZQ====?=", "Grüße"},
		{"stray characters", "=?utf-8?B?R3LD vMOf.ZQ==?=", "Grüße"},
		{"unknown charset", "=?x-none?Q?Gr=FC=DFe?=", "Grüße"},
		{"wrong charset", "=?utf-8?Q?Gr=FC=DFe?=", "Grüße"},
		{"language", "=?utf-8*de-AT?Q?Gr=C3=BC=C3=9Fe?=", "Grüße"},
		{"blanks in a Q word", "=?utf-8?Q?hello dear =C3=A4?=", "hello dear ä"},
		{"question mark in a Q word", "=?utf-8?Q?what?=20now?=", "what? now"},
		{"no end", "=?utf-8?Q?Gr=C3=BC=C3=9Fe", "Grüße"},
		{"bad escapes", "=?utf-8?Q?100=_=ZZ=4?=", "100= =ZZ=4"},
		{"unknown encoding", "=?utf-8?X?abc?=", "=?utf-8?X?abc?="},
		{"not a word", "=?no word?=", "=?no word?="},
		{"empty word", "a =?utf-8?Q??= b", "a  b"},
		{"raw UTF-8", "Grüße", "Grüße"},
		{"raw Latin-1", "Gr\xfc\xdfe", "Grüße"},
		{"line break smuggled in", "=?utf-8?Q?a=0D=0ABcc:_x=00?=", "a  Bcc: x"},
		{"underscore", "a_b =?utf-8?Q?c_d=5Fe?=", "a_b c d_e"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := Decode(tt.in); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
