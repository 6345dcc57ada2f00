package main

import (
	"fmt"
	"io"
	"slices"
	"time"
)

// result is one run of one system.
type result struct {
	system   string
	o        options
	accepted time.Duration // until the last 250
	end      time.Duration // until the last arrival
	latency  []time.Duration
	lost     int
	twice    int
	altered  int
	strange  int
	cpu      time.Duration
	anon     int64
}

func (r result) acceptedRate() float64 { return float64(r.o.messages) / r.accepted.Seconds() }
func (r result) endRate() float64      { return float64(r.o.messages) / r.end.Seconds() }

func (r result) quantile(q float64) time.Duration {
	return r.latency[min(int(q*float64(len(r.latency))), len(r.latency)-1)].Round(100 * time.Microsecond)
}

func (r result) print(w io.Writer) {
	fmt.Fprintf(w, "%s: %d messages of %d octets, %d connections, %d %% secure\n", r.system, r.o.messages, r.o.size, r.o.conns, r.o.secure)
	fmt.Fprintf(w, "  accepted     %8.0f/s  (%.2f s)\n", r.acceptedRate(), r.accepted.Seconds())
	fmt.Fprintf(w, "  end to end   %8.0f/s  (%.2f s)\n", r.endRate(), r.end.Seconds())
	fmt.Fprintf(w, "  latency      p50 %s  p95 %s  p99 %s  max %s\n", r.quantile(.5), r.quantile(.95), r.quantile(.99), r.quantile(1))
	fmt.Fprintf(w, "  lost %d, duplicated %d, altered %d, strange %d\n", r.lost, r.twice, r.altered, r.strange)
	fmt.Fprintf(w, "  CPU %.2f s (%.2f ms a message), peak anonymous memory %.1f MiB\n",
		r.cpu.Seconds(), r.cpu.Seconds()*1000/float64(r.o.messages), float64(r.anon)/(1<<20))
}

// printRatios compares the systems by the medians of their rounds.
func printRatios(w io.Writer, results []result) {
	rates := map[string][]float64{}
	for _, r := range results {
		rates[r.system] = append(rates[r.system], r.endRate())
	}
	ours := rates["postern"]
	for name, theirs := range rates {
		if name != "postern" && len(ours) > 0 {
			fmt.Fprintf(w, "end to end, median of %d: postern %.0f/s, %s %.0f/s, ratio %.2f\n",
				len(ours), median(ours), name, median(theirs), median(ours)/median(theirs))
		}
	}
}

func median(list []float64) float64 {
	slices.Sort(list)
	return list[len(list)/2]
}

// damage is an error when any system lost, doubled or changed a message.
func damage(results []result) error {
	for _, r := range results {
		if r.lost+r.twice+r.altered+r.strange > 0 {
			return fmt.Errorf("%s did not deliver every message once and unchanged", r.system)
		}
	}
	return nil
}
