package shop

import (
	"time"

	"lockstep/testdata/call"
)

const (
	perDocument = 50        // rows that one transaction of Load inserts
	firstPaid   = 10_00     // of each customer: the one payment that is loaded
	creditLimit = 50_000_00 // of each customer
)

// loadedAt is the date of all that is loaded.
var loadedAt = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC).Format(time.RFC3339)

// loader collects rows and makes transactions of them.
type loader struct {
	chance
	size      Size
	documents []string
	pending   map[string][]call.Params
}

// Load gives the transactions that fill the tables (clause 4.3.3), with what is
// random in them following from the seed.
func Load(seed uint64, size Size) []string {
	l := &loader{chance: newChance(seed, loadConstant), size: size, pending: map[string][]call.Params{}}
	for i := 1; i <= size.Items; i++ {
		l.insert("item", call.Params{"id": i, "im": l.between(1, 10_000), "name": l.text(14, 24), "price": l.between(1_00, 100_00), "data": l.data()})
	}
	l.flush("item")
	for w := 1; w <= size.Warehouses; w++ {
		l.warehouse(w)
	}
	return l.documents
}

func (l *loader) insert(table string, row call.Params) {
	l.pending[table] = append(l.pending[table], row)
	if len(l.pending[table]) == perDocument {
		l.flush(table)
	}
}

func (l *loader) flush(table string) {
	if rows := l.pending[table]; len(rows) > 0 {
		l.documents = append(l.documents, call.Insert(table, columns[table], rows))
		delete(l.pending, table)
	}
}

// columns has the types of the columns that are loaded, by table.
var columns = map[string]map[string]string{
	"item": {"id": "int", "im": "int", "name": "string", "price": "int", "data": "string"},
	"warehouse": {"id": "int", "name": "string", "street_1": "string", "street_2": "string", "city": "string", "state": "string",
		"zip": "string", "tax": "int", "ytd": "int"},
	"district": {"w": "int", "id": "int", "name": "string", "street_1": "string", "street_2": "string", "city": "string", "state": "string",
		"zip": "string", "tax": "int", "ytd": "int", "next_o": "int"},
	"customer": {"w": "int", "d": "int", "id": "int", "first": "string", "middle": "string", "last": "string", "street_1": "string",
		"street_2": "string", "city": "string", "state": "string", "zip": "string", "phone": "string", "since": "timestamp", "credit": "string",
		"credit_lim": "int", "discount": "int", "balance": "int", "ytd_payment": "int", "payment_cnt": "int", "delivery_cnt": "int", "data": "string"},
	"history": {"c_w": "int", "c_d": "int", "c": "int", "n": "int", "w": "int", "d": "int", "date": "timestamp", "amount": "int", "data": "string"},
	"orders":  {"w": "int", "d": "int", "id": "int", "c": "int", "entry_d": "timestamp", "carrier?": "int", "ol_cnt": "int", "all_local": "bool"},
	"order_line": {"w": "int", "d": "int", "o": "int", "number": "int", "i": "int", "supply_w": "int", "delivery_d?": "timestamp",
		"quantity": "int", "amount": "int", "dist_info": "string"},
	"new_order": {"w": "int", "d": "int", "o": "int"},
	"stock": {"w": "int", "i": "int", "quantity": "int", "ytd": "int", "order_cnt": "int", "remote_cnt": "int", "data": "string",
		"dist_01": "string", "dist_02": "string", "dist_03": "string", "dist_04": "string", "dist_05": "string",
		"dist_06": "string", "dist_07": "string", "dist_08": "string", "dist_09": "string", "dist_10": "string"},
}

// address adds what warehouses, districts and customers all have.
func (l *loader) address(row call.Params) call.Params {
	row["street_1"], row["street_2"], row["city"] = l.text(10, 20), l.text(10, 20), l.text(10, 20)
	row["state"], row["zip"] = l.of("ABCDEFGHIJKLMNOPQRSTUVWXYZ", 2), l.digits(4)+"11111"
	return row
}

func (l *loader) warehouse(w int) {
	l.insert("warehouse", l.address(call.Params{"id": w, "name": l.text(6, 10), "tax": l.between(0, 2000),
		"ytd": l.size.Districts * l.size.Customers * firstPaid}))
	l.flush("warehouse")
	for i := 1; i <= l.size.Items; i++ {
		row := call.Params{"w": w, "i": i, "quantity": l.between(10, 100), "ytd": 0, "order_cnt": 0, "remote_cnt": 0, "data": l.data()}
		for _, d := range []string{"01", "02", "03", "04", "05", "06", "07", "08", "09", "10"} {
			row["dist_"+d] = l.text(24, 24)
		}
		l.insert("stock", row)
	}
	l.flush("stock")
	for d := 1; d <= l.size.Districts; d++ {
		l.insert("district", l.address(call.Params{"w": w, "id": d, "name": l.text(6, 10), "tax": l.between(0, 2000),
			"ytd": l.size.Customers * firstPaid, "next_o": l.size.Customers + 1}))
	}
	l.flush("district")
	for d := 1; d <= l.size.Districts; d++ {
		l.customers(w, d)
		l.orders(w, d)
	}
}

func (l *loader) customers(w, d int) {
	for c := 1; c <= l.size.Customers; c++ {
		last := lastName(c - 1)
		if c > l.size.names() {
			last = l.last(l.size)
		}
		credit := "GC"
		if l.percent(10) {
			credit = "BC"
		}
		l.insert("customer", l.address(call.Params{
			"w": w, "d": d, "id": c, "first": l.text(8, 16), "middle": "OE", "last": last, "phone": l.digits(16), "since": loadedAt,
			"credit": credit, "credit_lim": creditLimit, "discount": l.between(0, 5000), "balance": -firstPaid,
			"ytd_payment": firstPaid, "payment_cnt": 1, "delivery_cnt": 0, "data": l.text(300, 500),
		}))
		l.insert("history", call.Params{"c_w": w, "c_d": d, "c": c, "n": 1, "w": w, "d": d, "date": loadedAt, "amount": firstPaid, "data": l.text(12, 24)})
	}
	l.flush("customer")
	l.flush("history")
}

func (l *loader) orders(w, d int) {
	for i, c := range l.permutation(l.size.Customers) {
		o, lines, delivered := i+1, l.between(5, 15), i < l.size.Delivered()
		row := call.Params{"w": w, "d": d, "id": o, "c": c, "entry_d": loadedAt, "ol_cnt": lines, "all_local": true}
		if delivered {
			row["carrier"] = l.between(1, 10)
		} else {
			l.insert("new_order", call.Params{"w": w, "d": d, "o": o})
		}
		l.insert("orders", row)
		for n := 1; n <= lines; n++ {
			line := call.Params{"w": w, "d": d, "o": o, "number": n, "i": l.between(1, l.size.Items), "supply_w": w, "quantity": 5, "dist_info": l.text(24, 24)}
			if line["amount"] = l.between(1, 9_999_99); delivered {
				line["amount"], line["delivery_d"] = 0, loadedAt
			}
			l.insert("order_line", line)
		}
	}
	l.flush("orders")
	l.flush("new_order")
	l.flush("order_line")
}
