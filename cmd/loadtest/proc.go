package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// clockTick is the kernel's unit of CPU time in /proc (USER_HZ), 100 a second on Linux.
const clockTick = 10 * time.Millisecond

// watch follows a process and its children: CPU time spent, and the peak of anonymous memory.
type watch struct {
	root  int
	begin time.Duration
	done  chan struct{}
	wg    sync.WaitGroup
	peak  int64
}

func watchProcess(pid int) *watch {
	w := &watch{root: pid, begin: cpuOf(family(pid)), done: make(chan struct{})}
	w.wg.Go(w.sample)
	return w
}

func (w *watch) sample() {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		var sum int64
		for _, pid := range family(w.root) {
			sum += anonOf(pid)
		}
		w.peak = max(w.peak, sum)
		select {
		case <-tick.C:
		case <-w.done:
			return
		}
	}
}

func (w *watch) stop() (cpu time.Duration, anon int64) {
	close(w.done)
	w.wg.Wait()
	return cpuOf(family(w.root)) - w.begin, w.peak
}

// family is a process and all its descendants.
func family(root int) []int {
	parents := map[int]int{}
	entries, _ := os.ReadDir("/proc") // no /proc: an empty family, and zeros in the report
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			if f := statOf(pid); len(f) > 1 {
				parents[pid], _ = strconv.Atoi(f[1])
			}
		}
	}
	all := []int{root}
	for i := 0; i < len(all); i++ {
		for pid, parent := range parents {
			if parent == all[i] {
				all = append(all, pid)
			}
		}
	}
	return all
}

// statOf returns the fields of /proc/PID/stat from the state on (field 3 of proc(5) is index 0).
func statOf(pid int) []string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	return strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
}

// cpuOf sums user and system time, that of children that have ended included.
func cpuOf(pids []int) time.Duration {
	var ticks int64
	for _, pid := range pids {
		f := statOf(pid)
		for i := 11; i <= 14 && i < len(f); i++ { // utime stime cutime cstime
			n, _ := strconv.ParseInt(f[i], 10, 64)
			ticks += n
		}
	}
	return time.Duration(ticks) * clockTick
}

// anonOf is RssAnon in octets.
func anonOf(pid int) int64 {
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if rest, ok := strings.CutPrefix(s.Text(), "RssAnon:"); ok {
			n, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return n << 10
		}
	}
	return 0
}
