// Package relay takes mail out of the queue to the next hops.
//
// Flow. One goroutine (Runner.Run) owns all that is known about next hops and waiting domains; it hears of news by
// channels: a commit that made a domain due (store.Wake), a timer, a job's report, a flush. For a due domain with a
// free connection it starts a job: claim up to 50 items in one transaction (attempt and next time are durable before
// anything is dialled), open the bodies with the queue keys, deliver over one connection, and write the results: item
// gone or rescheduled, recipient's state, body released, audit event, report to the sender, all in one transaction.
// Neighbours, that is items of one message with the same sender and the same needs, share an SMTP transaction; results
// stay per recipient.
//
// Rules (ARCHITECTURE 1.9, MAIL §7 and §8):
//
//   - What fails before MAIL is the next hop's fault: the hop is down for 1, 2, 5, 10, then 15 minutes, one probe at a
//     time, and its items get their attempt back. What fails from MAIL on is the message's: it is rescheduled by the
//     retry table, or ends at a 5xx that is no exception of MAIL 8.2.
//   - A message that takes long lets go of those behind it (I5): after Limits.Patience what a job has not begun goes
//     back to the queue for other connections.
//   - A connection lost after the final dot is retried: the message may go twice, which is logged.
//   - Items end by age, also while their hop is down: a pass over overdue domains sends delay notices and gives up. Age
//     is no reason in the first hour (six steps of the retry table) after the start or after a leap of the clock.
//   - Only proven damage of the stored copy (key gone, body missing or not authentic) ends an item for a local reason,
//     and that item alone, with the report "please send again" (KEYS K4).
//   - State and report are committed together; a share that was recalled or expired meanwhile stays so.
//
// Remote text goes through mail.Scrub before it is stored, logged or reported (MAIL 6.5). Message data leaves exactly
// as stored behind the prepended trace field and the route's stamp (I6).
package relay
