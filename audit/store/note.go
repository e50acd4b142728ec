package store

import (
	"context"
	"fmt"
	"time"

	"vitrine/audit"
)

// Note records a best-effort event without waiting. When the queue is full or the
// write fails the event is lost, and the number lost becomes an event itself.
// Events of a strict kind are refused: they belong into the transaction of their
// action (Append).
func (l *Log) Note(e audit.Event) error {
	k, ok := audit.LookupKind(e.Code)
	if !ok || k.Class != audit.BestEffort {
		return fmt.Errorf("audit/store: only best-effort kinds can be noted: %w", audit.ErrEvent)
	}
	l.fill(&e, l.o.Now())
	if _, err := e.Canonical(); err != nil {
		return err
	}
	select {
	case <-l.stop:
		return ErrClosed
	default:
	}
	select {
	case l.notes <- e:
	default:
		l.dropped.Add(1)
	}
	return nil
}

// noter is the only reader of l.notes.
func (l *Log) noter() {
	defer l.done.Done()
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		select {
		case e := <-l.notes:
			l.writeNotes(l.drain([]audit.Event{e}))
		case <-tick.C: // a number of dropped events that waits, or could not be written
			l.writeNotes(nil)
		case <-l.stop:
			for events := l.drain(nil); len(events) > 0; events = l.drain(nil) {
				l.writeNotes(events)
			}
			l.writeNotes(nil)
			return
		}
	}
}

// drain takes what waits, up to one batch.
func (l *Log) drain(events []audit.Event) []audit.Event {
	for len(events) < batch {
		select {
		case e := <-l.notes:
			events = append(events, e)
		default:
			return events
		}
	}
	return events
}

func (l *Log) writeNotes(events []audit.Event) {
	ctx := context.Background()
	lost := l.dropped.Swap(0)
	if l.halted != nil || len(events) == 0 && lost == 0 {
		l.dropped.Add(lost)
		return
	}
	err := l.db.Write(ctx, func(ctx context.Context) error {
		for _, e := range events {
			row, err := rowOf(e)
			if err != nil {
				return err
			}
			if err := l.db.Tx(ctx).Create(&row).Error; err != nil {
				return err
			}
		}
		l.db.AfterCommit(ctx, l.poke)
		if lost == 0 {
			return nil
		}
		e := audit.Event{Code: "EVENTS.DROPPED.OK", Actor: "system", Numbers: map[string]int64{"dropped": lost}}
		l.fill(&e, l.o.Now())
		row, err := rowOf(e)
		if err != nil {
			return err
		}
		return l.db.Tx(ctx).Create(&row).Error
	})
	if err != nil {
		// Kept for the next attempt: the number lost is evidence too.
		l.dropped.Add(lost + int64(len(events)))
	}
}
