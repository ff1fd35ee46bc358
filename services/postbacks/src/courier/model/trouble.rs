//! What goes wrong: processes that die or stand still, partitions that move, a Redis that forgets.

use super::COURIERS;
use super::process::{Errand, Process, State};
use super::redis::Redis;
use super::world::{FORGETS_MS, HORIZON_MS, World, name};

impl World {
    /// What was answered and is not acknowledged may be lost now.
    fn disturb(&mut self, courier: usize) {
        for id in self.couriers[courier].in_flight() {
            self.stories.entry(id).or_default().disturbances += 1;
        }
        for id in self.couriers[courier].in_hand() {
            self.stories.entry(id).or_default().was_dropped = true;
        }
    }

    pub(super) fn crash(&mut self, courier: usize) {
        self.disturb(courier);
        let process = &self.couriers[courier];
        self.reached.note_if(!process.in_flight().is_empty(), "died with a request under way");
        let (session, owns) = (process.session + 1, self.owner == courier);
        self.couriers[courier] = Process { session, owns, ..Process::default() };
        self.check_position();
    }

    pub(super) fn move_to(&mut self, courier: usize) {
        for other in (0..COURIERS).filter(|&other| other != courier) {
            self.disturb(other);
            self.couriers[other].hear(false);
        }
        self.owner = courier;
        self.couriers[courier].hear(true);
        self.check_position();
    }

    pub(super) fn freeze_and_move_to(&mut self, courier: usize) {
        let frozen = (courier + 1) % COURIERS;
        self.disturb(frozen);
        let process = &mut self.couriers[frozen];
        self.reached.note_if(!process.errands.is_empty() && process.owns, "stopped with work in hand");
        process.is_frozen = true;
        self.owner = courier;
        self.couriers[courier].hear(true);
        self.check_position();
    }

    /// It goes on where it was, and hears of what happened only when its stage polls: at the next move or check.
    pub(super) fn wake(&mut self, courier: usize) {
        let (process, now) = (&mut self.couriers[courier], self.now);
        process.is_frozen = false;
        let is_void = |errand: &Errand| matches!(errand.state, State::Recording { until, .. } if until < now);
        let (void, kept) = std::mem::take(&mut process.errands).into_iter().partition(is_void);
        process.errands = kept;
        let void: Vec<Errand> = void;
        void.iter().for_each(|errand| process.memory.put_down(&name(errand.claimed.id)));
    }

    /// Redis is as it was before some changes.
    pub(super) fn roll_back(&mut self, changes: usize) {
        let now = self.now;
        self.history.retain(|(at, _)| now - at <= FORGETS_MS);
        let Some(index) = self.history.len().checked_sub(changes) else { return };
        let earlier = self.history[index].1.clone();
        self.history.truncate(index);
        self.reached.note_if(earlier != self.redis, "Redis went back");
        self.redis = earlier;
        self.went_back();
    }

    pub(super) fn empty(&mut self) {
        self.reached.note_if(!self.redis.is_empty(), "Redis was emptied");
        self.redis = Redis::default();
        self.history.clear();
        self.was_emptied = true;
        self.went_back();
    }

    fn went_back(&mut self) {
        for id in self.couriers.iter().flat_map(Process::in_hand) {
            self.stories.entry(id).or_default().disturbances += 1;
        }
        for story in self.stories.values_mut() {
            story.went_back = true;
            story.disturbances += usize::from(story.was_dropped);
        }
    }

    /// The owner's stage once a second, and before it schedules: a position that is not the expected one begins a session.
    /// A worker that does not own the partition any more hears of it too.
    pub(super) fn check_position(&mut self) {
        for courier in 0..COURIERS {
            let is_owner = self.owner == courier;
            let process = &mut self.couriers[courier];
            if !process.is_frozen && process.owns != is_owner {
                process.hear(is_owner);
            }
        }
        let process = &mut self.couriers[self.owner];
        if process.is_frozen {
            return;
        }
        if self.redis.position() != process.position {
            process.hear(true);
        }
        let horizon = (self.was_emptied && self.redis.position().is_none()).then_some(self.now - HORIZON_MS);
        self.redis.schedule(self.scheduled, self.now, horizon);
        self.couriers[self.owner].position = self.redis.position();
    }
}
