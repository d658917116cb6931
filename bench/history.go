package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
	"golang.org/x/sync/errgroup"

	"lockstep/router/client"
)

// operation is what a client does to a register.
type operation struct {
	kind     string // read, write, swap
	cell     int
	old, new int64
}

// observed is what came of it.
type observed struct {
	ok    bool // the swap happened
	value int64
}

// registers is the model: each cell holds 0 at first, the last value written
// afterwards.
func registers() porcupine.Model {
	return porcupine.Model{
		Partition: byCell,
		Init:      func() any { return int64(0) },
		Step: func(state, input, output any) (bool, any) {
			held, op, out := state.(int64), input.(operation), output.(observed)
			switch op.kind {
			case "read":
				return out.value == held, held
			case "write":
				return true, op.new
			}
			if !out.ok {
				return held != op.old, held
			}
			return held == op.old, op.new
		},
	}
}

func byCell(history []porcupine.Operation) [][]porcupine.Operation {
	parts := make([][]porcupine.Operation, historyCells)
	for _, op := range history {
		cell := op.Input.(operation).cell
		parts[cell] = append(parts[cell], op)
	}
	return parts
}

// checkHistory: the operations on each register have an order that agrees with what
// everybody saw and when.
func checkHistory(history []porcupine.Operation) Check {
	var f finding
	switch porcupine.CheckOperationsTimeout(registers(), history, historyCheckTime) {
	case porcupine.Illegal:
		f.add("no order of the operations agrees with what was seen")
	case porcupine.Unknown:
		f.add("no order was found within %v", historyCheckTime)
	}
	if len(history) == 0 {
		f.add("nothing was done")
	}
	return f.check("linearizable", "%d operations on %d registers", len(history), historyCells)
}

// historian works on registers and writes down what it sees.
type historian struct {
	cluster *Cluster
	servers *servers
	run     string
	seed    uint64
	origin  time.Time

	mu      sync.Mutex
	history []porcupine.Operation
}

// prepare sets all registers to 0.
func (h *historian) prepare(ctx context.Context) error {
	for cell := range historyCells {
		doc := fmt.Sprintf(`{"procedure": "write", "params": {"id": %q, "value": 0}}`, h.cell(cell))
		if _, err := h.cluster.Client().Transact(ctx, h.cluster.Group, []byte(doc), ""); err != nil {
			return fmt.Errorf("preparing registers: %w", err)
		}
	}
	return nil
}

func (h *historian) cell(i int) string { return h.run + "-c" + strconv.Itoa(i) }

// work has all clients work until stop closes or the history is long enough.
func (h *historian) work(ctx context.Context, stop <-chan struct{}) error {
	g, ctx := errgroup.WithContext(ctx)
	for i := range historyClients {
		g.Go(func() error {
			if err := h.client(ctx, i, stop); err != nil {
				return fmt.Errorf("client %d of the history: %w", i, err)
			}
			return nil
		})
	}
	return g.Wait()
}

// registerClient is one client of the history.
type registerClient struct {
	*historian
	number int
	random *rand.Rand
	worker *worker // carries writes and swaps
	reader *client.Client
	ops    []operation // by number
	seen   [historyCells]int64
}

// client works until stop closes.
func (h *historian) client(ctx context.Context, number int, stop <-chan struct{}) error {
	all := h.cluster.Servers()
	at := number % len(all)
	reader, err := client.New(client.Config{
		Servers: append(append([]string{}, all[at:]...), all[:at]...), Timeout: patience, DialPatience: -1,
	})
	if err != nil {
		return err
	}
	defer reader.Close()
	c := &registerClient{
		historian: h, number: number, reader: reader,
		random: rand.New(rand.NewPCG(h.seed, uint64(number))),
	}
	c.worker = &worker{number: number, load: c, servers: h.servers, node: at, tally: &tally{}}
	for range historyOperations / historyClients {
		if err := c.operate(ctx); err != nil {
			return err
		}
		select {
		case <-stop:
			return nil
		default:
		}
		if !rest(ctx, historyPause/2+time.Duration(c.random.Int64N(int64(historyPause)))) {
			return context.Cause(ctx)
		}
	}
	return nil
}

// operate does one operation to its definite end and writes it down.
func (c *registerClient) operate(ctx context.Context) (err error) {
	cell := c.random.IntN(historyCells)
	op := operation{kind: "read", cell: cell}
	switch c.random.IntN(4) {
	case 0:
		op.kind, op.new = "write", c.random.Int64N(1<<40)
	case 1:
		op.kind, op.old, op.new = "swap", c.seen[cell], c.random.Int64N(1<<40)
	}
	var out observed
	call := time.Since(c.origin).Nanoseconds()
	if op.kind == "read" {
		out, err = c.read(ctx, cell)
	} else {
		out, err = c.change(ctx, op)
	}
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.history = append(c.history, porcupine.Operation{
		ClientId: c.number, Input: op, Call: call, Output: out, Return: time.Since(c.origin).Nanoseconds(),
	})
	return nil
}

// read reads a register, linearizable, through this client's node while it lives.
func (c *registerClient) read(ctx context.Context, cell int) (observed, error) {
	row, _, err := c.reader.Row(ctx, c.cluster.Group, "cells", []string{c.cell(cell)}, client.ReadOptions{})
	if err != nil {
		return observed{}, fmt.Errorf("reading a register: %w", err)
	}
	var doc struct {
		Value int64 `json:"value"`
	}
	if err := json.Unmarshal(row, &doc); err != nil {
		return observed{}, fmt.Errorf("reading a register: %w: %s", err, row)
	}
	c.seen[cell] = doc.Value
	return observed{value: doc.Value}, nil
}

// change writes or swaps; the outcome is definite, for what is in doubt is sent
// again under its id.
func (c *registerClient) change(ctx context.Context, op operation) (observed, error) {
	c.ops = append(c.ops, op)
	once := 1
	err := c.worker.run(ctx, 1, func(int) int { once--; return once + 1 })
	if err != nil {
		return observed{}, err
	}
	ok := c.worker.page[len(c.ops)-1].committed()
	if ok {
		c.seen[op.cell] = op.new
	}
	return observed{ok: ok}, nil
}

// appendID and appendDocument make the registerClient a workload.
func (c *registerClient) appendID(dst []byte, worker, number int) []byte {
	return fmt.Appendf(dst, "%s-h%d-%d", c.run, worker, number)
}

func (c *registerClient) appendDocument(dst []byte, worker, number int) []byte {
	op := c.ops[number]
	dst = c.appendID(append(dst, `{"id":"`...), worker, number)
	if op.kind == "write" {
		return fmt.Appendf(dst, `","procedure":"write","params":{"id":%q,"value":%d}}`, c.cell(op.cell), op.new)
	}
	return fmt.Appendf(dst, `","procedure":"swap","params":{"id":%q,"old":%d,"new":%d}}`, c.cell(op.cell), op.old, op.new)
}
