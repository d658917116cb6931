package order

import "context"

// Pause has nothing more proposed here and waits until what is in flight has its
// outcome, or ctx ends. Requests are accepted as ever and wait: for resume, or for
// another primary, to which they go at once. It is for a planned handover: between
// the last outcome and the next primary's first entry nothing is under way that
// could be dropped or doubted. After an error nothing is paused.
func (o *Orderer) Pause(ctx context.Context) (resume func(), err error) {
	select {
	case <-o.pause():
		return o.resume, nil
	case <-ctx.Done():
	case <-o.stop.Done():
	}
	o.resume()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return nil, ErrDraining
}

// pause gives a channel that is closed once nothing is in flight.
func (o *Orderer) pause() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.paused++
	if o.landed == nil {
		o.landed = make(chan struct{})
	}
	landed := o.landed
	o.noteLanding()
	return landed
}

// noteLanding tells who pauses that nothing is in flight any more.
func (o *Orderer) noteLanding() {
	if o.inFlight == 0 && o.landed != nil {
		close(o.landed)
		o.landed = nil
	}
}

func (o *Orderer) resume() {
	var fx effects
	o.mu.Lock()
	o.paused--
	if !o.closed {
		o.kick(&fx)
	}
	o.mu.Unlock()
	o.perform(&fx)
}
