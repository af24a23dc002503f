//! The clock that gives blocks their time.

use std::time::{SystemTime, UNIX_EPOCH};

/// Where the time of blocks comes from.
///
/// A chain in a test has each block a second after the last, so that runs are repeatable; one that a wallet looks at
/// follows the machine's clock. Both can be set forward.
#[derive(Clone, Debug)]
pub struct Clock {
    wall: bool,
    /// Seconds by which time was set forward.
    ahead: u64,
    next: Option<u64>,
}

impl Clock {
    /// A clock that follows the machine's, or one that steps a second a block.
    pub const fn new(wall: bool) -> Self {
        Self { wall, ahead: 0, next: None }
    }

    /// Unix time in seconds of the block after one at `latest`, which it is never before.
    pub fn next(&self, latest: u64) -> u64 {
        let next = match self.next {
            Some(next) => next,
            None if self.wall => now().saturating_add(self.ahead),
            None => latest.saturating_add(1).saturating_add(self.ahead),
        };
        next.max(latest)
    }

    /// Sets the time of the next block; a clock that follows the machine's goes on from there.
    pub fn set_next(&mut self, time: u64) {
        self.next = Some(time);
        if self.wall {
            self.ahead = time.saturating_sub(now());
        }
    }

    /// Sets time forward by some seconds; returns by how much in all.
    pub const fn advance(&mut self, seconds: u64) -> u64 {
        self.ahead = self.ahead.saturating_add(seconds);
        self.ahead
    }

    /// A block has got the time that was set for it.
    pub(crate) const fn sealed(&mut self) {
        self.next = None;
        if !self.wall {
            self.ahead = 0;
        }
    }
}

/// Unix time in seconds.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps() {
        let mut clock = Clock::new(false);
        assert_eq!(clock.next(100), 101);
        clock.advance(50);
        assert_eq!(clock.next(100), 151);
        clock.sealed();
        assert_eq!(clock.next(151), 152);
        clock.set_next(200);
        assert_eq!(clock.next(151), 200);
        clock.sealed();
        assert_eq!(clock.next(200), 201);
    }

    #[test]
    fn follows_the_machine() {
        let mut clock = Clock::new(true);
        assert!(clock.next(0).abs_diff(now()) < 5);
        assert_eq!(clock.next(u64::MAX), u64::MAX);
        clock.set_next(now() + 1000);
        clock.sealed();
        assert!(clock.next(0).abs_diff(now() + 1000) < 5);
        assert_eq!(clock.advance(10).abs_diff(1010) / 5, 0);
    }
}
