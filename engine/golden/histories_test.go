package golden

import (
	"testing"

	"lockstep/testdata/bank"
	"lockstep/testdata/jobs"
	"lockstep/testdata/ratelimit"
	"lockstep/testdata/reservations"
	"lockstep/testdata/shop"
)

// history is a golden log: what makes it, from a seed.
type history struct {
	name string
	make func(t testing.TB) *primary
}

// histories are all of them.
var histories = []history{
	{"bank", makeBank}, {"shop", makeShop}, {"reservations", makeReservations},
	{"jobs", makeJobs}, {"ratelimit", makeRateLimit}, {"kitchen", makeKitchen},
}

// checkpoints is how many a history has, beside the one at its end.
const checkpoints = 4

// application is what an example application brings.
type application struct {
	schema       string
	load         []string
	next         func() string
	answer       func(result []byte) // nil: transactions go many to an entry
	transactions int
}

func (p *primary) run(a application) *primary {
	p.schema(a.schema, nil)
	for _, doc := range a.load {
		p.send(doc)
	}
	next := a.transactions / (checkpoints + 1)
	for n := 0; n < a.transactions; {
		if n >= next {
			p.checkpoint()
			next += a.transactions / (checkpoints + 1)
		}
		docs := []string{a.next()}
		for a.answer == nil && len(docs) < 8 && p.rng.IntN(4) > 0 {
			docs = append(docs, a.next())
		}
		n += len(docs)
		if o := p.send(docs...); a.answer != nil {
			a.answer(o.Result)
		}
	}
	p.checkpoint()
	return p
}

func makeBank(t testing.TB) *primary {
	const customers = 200
	return newPrimary(t, 1, 20).run(application{bank.Schema, bank.Load(1, customers), bank.NewTraffic(2, customers).Next, nil, 4500})
}

func makeShop(t testing.TB) *primary {
	size := shop.Size{Warehouses: 2, Districts: 3, Customers: 15, Items: 60}
	return newPrimary(t, 2, 20).run(application{shop.Schema, shop.Load(1, size), shop.NewTraffic(2, size).Next, nil, 3000})
}

func makeReservations(t testing.TB) *primary {
	size := reservations.Size{Events: 4, Rows: 12}
	traffic := reservations.NewTraffic(2, size)
	return newPrimary(t, 3, 60).run(application{reservations.Schema, reservations.Load(1, size), traffic.Next, traffic.Answer, 3500})
}

func makeJobs(t testing.TB) *primary {
	traffic := jobs.NewTraffic(2, 3)
	return newPrimary(t, 4, 60).run(application{jobs.Schema, jobs.Load(1, 3, 20), traffic.Next, traffic.Answer, 3500})
}

func makeRateLimit(t testing.TB) *primary {
	return newPrimary(t, 5, 200).run(application{ratelimit.Schema, ratelimit.Load(), ratelimit.NewTraffic(2, 60).Next, nil, 3500})
}
