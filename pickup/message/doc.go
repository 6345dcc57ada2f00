// Package message is a sealed message after its acceptance: the link that leads to it, its opening, reading, replies,
// "not meant for me", recall and expiry. It knows no HTTP; package pickup shows what it returns.
//
// Flow of a link. Link tells a page who wrote and until when, and changes nothing: a scanner that follows the link
// counts as a fetch, no more (I4). OpenLink is the POST behind the page's button: the link secret opens the file key,
// which is wrapped anew for the signed-in account, and the message counts as opened, all in one transaction. From then
// on the message is in the account's inbox and opens with its password; the link alone opens nothing on the site (KEYS
// K6, K8). Open is the same first opening from the inbox, for messages that were sealed to the account.
//
// Flow of a file key. No key is stored but wrapped: View unwraps it from the recipient's account grant with the seed
// that the session holds, uses it for one request and forgets it. A writer reads his replies through a grant of his
// own or, after a reset, through the message that they answer.
//
// A visit with a mailed code has no account: for it the links that its session carries open the link grants themselves,
// again for each request, and its replies open through what they answer.
//
// Flow of an end. Expiry, recall and refusal destroy a recipient's grants in the transaction of the fact, and with
// the last recipient card, remaining grants and body (KEYS K12). What stays is history without content, from which
// Link and View say what became of the message.
//
// Everything that is computed from a View is compared inside its Update; ErrConflict begins it again. Fetches, last
// uses and downloads go through the Recorder beside the request: they may be lost, and a full disk breaks no page.
package message
