//! What a courier does with a delivery, from the claim to the removal, in the order in which an errand does it.

use std::time::Duration;

use super::process::{Errand, Kept, Process, State};
use super::redis::Claimed;
use super::schedule::{Answer, Fault};
use super::world::{Attempt, World, name};
use crate::courier::attempt::Tried;
use crate::courier::memory::{Doubt, Unrecorded};
use crate::courier::ruling::{Duty, RECORDED_WITHIN, Sight, lease, may_claim};
use crate::schedule::Schedule;
use crate::verdict::{Class, Verdict};

/// The endpoint's.
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);

impl World {
    pub(super) fn claim(&mut self, courier: usize) {
        self.keep_history();
        let process = &mut self.couriers[courier];
        let may_claim = may_claim(&process.board, &process.sessions(), process.memory.is_in_doubt());
        if process.is_frozen || !process.owns || !may_claim {
            return;
        }
        let lease_until = self.now + millis(lease(TIMEOUT));
        let Some(claimed) = self.redis.claim(self.now, lease_until) else { return };
        let (claimed_at, known, session) = (self.now, process.board.known, process.session);
        process.errands.push(Errand { claimed, claimed_at, known, session, state: State::Claimed, is_lost: false });
        if claimed.attempts.was_left() {
            self.reached.note("claimed after a crash or a lost answer");
        }
        if courier != self.owner {
            self.reached.note("claimed by a zombie");
            let story = self.stories.entry(claimed.id).or_default();
            // It has not looked back since the partition moved; only Redis tells it what others did, unless that went back.
            story.was_dropped = true;
            let is_kept = self.couriers[self.owner].unrecorded.get(&claimed.id).is_some_and(|kept| kept.is_success);
            story.disturbances += usize::from(story.went_back) + usize::from(is_kept);
        }
    }

    /// As an errand does before and instead of its request.
    pub(super) fn begin(&mut self, courier: usize, pick: usize) {
        self.keep_history();
        let process = &mut self.couriers[courier];
        let Some(at) = pick_errand(process, pick, |state| matches!(state, State::Claimed)) else { return };
        let Errand { claimed, claimed_at, known, session, .. } = process.errands[at];
        let Claimed { id, attempts, due, perhaps_told_since } = claimed;
        if !process.memory.take_up(&name(id)) {
            self.reached.note("claimed while under way");
            process.errands.remove(at);
            return;
        }
        let sight = Sight {
            is_finished: process.memory.is_finished(&name(id)),
            is_in_doubt: process.memory.is_in_doubt(),
            has_answer: process.memory.has_unrecorded(&name(id)),
            perhaps_told_since,
            was_left: attempts.was_left(),
            due_ms: due,
            known,
            since_claim: elapsed(claimed_at, self.now),
            is_session_over: process.session != session,
        };
        let repeats = self.stories.entry(id).or_default().successes > 0;
        match sight.duty() {
            Duty::Request => process.errands[at].state = State::Requested { at: self.now, repeats },
            Duty::RecordAnswer => {
                self.reached.note("earlier answer recorded");
                let Unrecorded { attempt, tried } = process.memory.take_unrecorded(&name(id)).unwrap();
                let repeats = process.unrecorded.remove(&id).unwrap().repeats;
                process.errands[at].state = State::Answered { attempt, tried, repeats };
            }
            duty => {
                process.errands.remove(at);
                match duty {
                    Duty::LetGo => {
                        self.reached.note("let go");
                        process.memory.remember(&name(id));
                        process.unrecorded.remove(&id);
                        self.redis.finish(id);
                    }
                    Duty::LookBack { since } => {
                        self.reached.note("given back for a look back");
                        process.memory.raise(Doubt { since });
                        self.redis.give_back(&claimed);
                    }
                    _ => {
                        self.reached.note("given back");
                        self.redis.give_back(&claimed);
                    }
                }
                process.memory.put_down(&name(id));
            }
        }
    }

    pub(super) fn answer(&mut self, courier: usize, pick: usize, answer: Answer) -> Result<(), String> {
        let process = &mut self.couriers[courier];
        let Some(at) = pick_errand(process, pick, |state| matches!(state, State::Requested { .. })) else {
            return Ok(());
        };
        let errand = &mut process.errands[at];
        let State::Requested { at: requested_at, repeats } = errand.state else { return Ok(()) };
        let verdict = match answer {
            _ if elapsed(requested_at, self.now) > TIMEOUT => Verdict::Retry(Class::Timeout),
            Answer::Success => Verdict::Delivered,
            Answer::Busy => Verdict::Retry(Class::Http5xx),
            Answer::Refused => Verdict::Failed(Class::Http4xx),
        };
        errand.state =
            State::Answered { attempt: errand.claimed.attempts.claimed, tried: Tried::unsent(verdict, None), repeats };
        let id = errand.claimed.id;
        let story = self.stories.entry(id).or_default();
        if verdict != Verdict::Delivered {
            return Ok(());
        }
        story.successes += 1;
        if story.successes == 1 {
            return Ok(());
        }
        self.reached.note("success repeated");
        if story.successes - 1 > story.disturbances {
            return Err(format!(
                "delivery {id} was told {} times, and {} may have been lost",
                story.successes, story.disturbances
            ));
        }
        Ok(())
    }

    /// As an errand does with an answer: in time to the log, else nowhere.
    pub(super) fn record(&mut self, courier: usize, pick: usize, fault: Fault) {
        let process = &mut self.couriers[courier];
        let Some(at) = pick_errand(process, pick, |state| matches!(state, State::Answered { .. })) else { return };
        let story = self.stories.entry(process.errands[at].claimed.id).or_default();
        process.errands[at].lose_if_late(self.now, story);
        let Errand { claimed, claimed_at, known, session, state, is_lost } = process.errands.remove(at);
        let State::Answered { attempt, tried, repeats } = state else { return };
        let id = claimed.id;
        if is_lost {
            self.reached.note("too late to record");
            process.memory.put_down(&name(id));
            return;
        }
        let wait = match tried.verdict {
            Verdict::Retry(_) => Schedule::default().wait(&name(id), attempt, None),
            _ => None,
        };
        let next = wait.map(|wait| (self.now + millis(wait), claimed.attempts.leave_a_gap(attempt)));
        let outcome = tried.verdict.outcome(next.is_some());
        let possibly_repeated = claimed.attempts.is_possibly_repeated(attempt);
        let record = Attempt { at: self.now, id, outcome, possibly_repeated, repeats };
        let under_way = match fault {
            Fault::None => Some(State::Recorded { next }),
            Fault::Delayed => {
                let until = self.now + millis(RECORDED_WITHIN);
                Some(State::Recording { until, attempt: record, next })
            }
            Fault::AnswerLost | Fault::NotApplied => None,
        };
        if matches!(fault, Fault::None | Fault::AnswerLost) {
            self.reached.note(if possibly_repeated { "recorded, flagged" } else { "recorded" });
            self.log.push(record);
        }
        if let Some(state) = under_way {
            process.errands.push(Errand { claimed, claimed_at, known, session, state, is_lost });
            return;
        }
        self.reached.note("not acknowledged");
        let is_success = tried.verdict == Verdict::Delivered;
        process.unrecorded.insert(id, Kept { is_success, repeats });
        if is_success {
            // Whoever does not own the partition any more is not handed the delivery again, and cannot tell what it knows.
            self.stories.entry(id).or_default().disturbances += usize::from(courier != self.owner);
        }
        process.memory.keep(&name(id), Unrecorded { attempt, tried });
        process.memory.raise(Doubt { since: None });
        process.memory.put_down(&name(id));
    }

    /// Remembers before it removes.
    pub(super) fn remove(&mut self, courier: usize, pick: usize, fault: Fault) {
        self.keep_history();
        let process = &mut self.couriers[courier];
        let Some(at) = pick_errand(process, pick, |state| matches!(state, State::Recorded { .. })) else { return };
        let Errand { claimed, state, .. } = process.errands.remove(at);
        let State::Recorded { next } = state else { return };
        let is_applied = matches!(fault, Fault::None | Fault::AnswerLost);
        match next {
            Some(next) if is_applied => self.redis.retry(&claimed, next),
            Some(_) => {}
            None => {
                process.memory.remember(&name(claimed.id));
                if is_applied {
                    self.redis.finish(claimed.id);
                }
            }
        }
        self.reached.note_if(!is_applied, "removal lost");
        process.memory.put_down(&name(claimed.id));
    }

    pub(super) fn deliver(&mut self, courier: usize) -> Result<(), String> {
        self.turn(courier);
        self.claim(courier);
        self.begin(courier, 0);
        self.answer(courier, 0, Answer::Success)?;
        self.record(courier, 0, Fault::None);
        self.remove(courier, 0, Fault::None);
        Ok(())
    }
}

/// One of the errands of a process that are in this state.
fn pick_errand(process: &Process, pick: usize, is_meant: impl Fn(&State) -> bool) -> Option<usize> {
    let meant = process.errands.iter().enumerate().filter(|(_, errand)| is_meant(&errand.state));
    if process.is_frozen { None } else { meant.map(|(at, _)| at).nth(pick) }
}

pub(super) fn elapsed(from: i64, to: i64) -> Duration {
    Duration::from_millis(u64::try_from(to - from).unwrap())
}

fn millis(duration: Duration) -> i64 {
    duration.as_millis().try_into().unwrap()
}
