package ops

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"postern/store"
)

// Metrics are the counters of the running parts.
type Metrics struct {
	Connections   *prometheus.CounterVec // by listener
	Capped        *prometheus.CounterVec // by listener
	DoubleBounces *prometheus.CounterVec // by kind of mail
	Messages      *prometheus.CounterVec // by reply code
	Attempts      *prometheus.CounterVec // by kind of mail and result
	Signatures    *prometheus.CounterVec // by domain and result
	HopsDown      *prometheus.GaugeVec   // by route; 1: does not answer
	Latency       prometheus.Histogram   // from acceptance to delivery, in seconds
}

// NewMetrics registers the counters.
func NewMetrics(r prometheus.Registerer) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "postern", Name: name, Help: help}, labels)
		r.MustRegister(v)
		return v
	}
	m := &Metrics{
		Connections:   counter("smtp_connections_total", "SMTP connections taken, by listener.", "listener"),
		Capped:        counter("smtp_connections_refused_total", "SMTP connections refused because there were too many, by listener.", "listener"),
		DoubleBounces: counter("double_bounces_total", "Mails with a null sender that failed, by kind of mail.", "kind"),
		Messages:      counter("smtp_messages_total", "Messages answered at the end of data, by reply code.", "code"),
		Attempts:      counter("delivery_attempts_total", "Delivery attempts per recipient, by kind of mail and result.", "kind", "result"),
		Signatures:    counter("dkim_signatures_total", "Messages that a DKIM key covers, by domain and result: signed, or failed.", "domain", "result"),
		HopsDown: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: "postern", Name: "next_hop_down", Help: "1 while the next hop of a route does not answer, else 0.",
		}, []string{"route"}),
		Latency: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: "postern", Name: "delivery_seconds", Help: "From acceptance to the next hop's 250.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 14400},
		}),
	}
	r.MustRegister(m.Latency, m.HopsDown, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Expect shows the counters that alarms look at as 0 before anything was counted: a counter that begins at 1 has not
// increased. domains are those that a DKIM key covers.
func (m *Metrics) Expect(domains []string) {
	for _, k := range store.Kinds() {
		m.DoubleBounces.WithLabelValues(string(k))
	}
	for _, d := range domains {
		for _, result := range []string{"signed", "failed"} {
			m.Signatures.WithLabelValues(store.DomainKey(d), result)
		}
	}
}

// RegisterGauge adds a gauge that is read when it is scraped. label, which may be empty, is the value of its label
// "listener".
func RegisterGauge(r prometheus.Registerer, name, help, label string, read func() float64) {
	o := prometheus.GaugeOpts{Namespace: "postern", Name: name, Help: help}
	if label != "" {
		o.ConstLabels = prometheus.Labels{"listener": label}
	}
	r.MustRegister(prometheus.NewGaugeFunc(o, read))
}

// queueCollector reads the store when it is scraped.
type queueCollector struct {
	store  store.Store
	now    func() time.Time
	length *prometheus.Desc
	oldest *prometheus.Desc
	states *prometheus.Desc
	users  *prometheus.Desc
}

// RegisterStore adds gauges for queue, states of recipients and users.
func RegisterStore(r prometheus.Registerer, s store.Store, now func() time.Time) {
	r.MustRegister(&queueCollector{
		store: s, now: now,
		length: prometheus.NewDesc("postern_queue_items", "Deliveries that wait.", nil, nil),
		oldest: prometheus.NewDesc("postern_queue_oldest_seconds", "Age of the oldest waiting delivery; 0 when none waits.", nil, nil),
		states: prometheus.NewDesc("postern_recipients", "Recipients of messages, by state.", []string{"state"}, nil),
		users:  prometheus.NewDesc("postern_users", "Accounts, by status.", []string{"status"}, nil),
	})
}

// Describe implements prometheus.Collector.
func (c *queueCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- c.length
	ch <- c.oldest
	ch <- c.states
	ch <- c.users
}

var gaugedStates = []store.State{
	store.StateQueued, store.StateDelivered, store.StateNotified, store.StateOpened, store.StateFailed,
	store.StateBounced, store.StateDeclined, store.StateRecalled, store.StateExpired, store.StateRefused,
}

// Collect implements prometheus.Collector.
func (c *queueCollector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), checkTime)
	defer cancel()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	err := c.store.View(ctx, func(tx store.Tx) error { return c.read(tx, gauge) })
	if err != nil {
		ch <- prometheus.NewInvalidMetric(c.length, err)
	}
}

func (c *queueCollector) read(tx store.Tx, gauge func(*prometheus.Desc, float64, ...string)) error {
	n, err := tx.Queue().Count()
	if err != nil {
		return err
	}
	gauge(c.length, float64(n))
	age := 0.0
	if oldest, err := tx.Queue().Oldest(); err == nil {
		age = max(0, c.now().Sub(oldest).Seconds())
	}
	gauge(c.oldest, age)
	for _, s := range gaugedStates {
		n, err := tx.Messages().CountState(s, false)
		if err != nil {
			return err
		}
		gauge(c.states, float64(n), string(s))
	}
	for _, s := range []store.Status{store.StatusActive, store.StatusInvited, store.StatusDisabled} {
		n, err := tx.Accounts().Count(s, "")
		if err != nil {
			return err
		}
		gauge(c.users, float64(n), string(s))
	}
	return nil
}
