package router

// advise tells a client when to come again (Retry-After), where its refusal is one
// that passes, and nobody knows better: what is overloaded when the present queue is
// done, what lacks a primary when one can have been elected.
func (s *Server) advise(p *Problem, f *front) {
	if p.retryAfter != 0 || !p.rule().later {
		return
	}
	switch p.Code {
	case "overloaded":
		if p.retryAfter = s.heavy.backlog(); !p.heavy && f != nil {
			p.retryAfter = f.Backlog()
		}
		p.retryAfter = min(p.retryAfter, maxBacklogAdvice)
	case "no_primary", "no_quorum":
		p.retryAfter = 2 * s.cfg.Election // the first may end without a winner
	case "diverged":
		p.retryAfter = divergedAdvice
	case "disk_full":
		p.retryAfter = diskAdvice
	}
	if p.retryAfter == 0 {
		p.retryAfter = laterAdvice
	}
	p.retryAfter = max(p.retryAfter, minAdvice)
}
