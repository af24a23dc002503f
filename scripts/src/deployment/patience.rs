//! How long things may take, and asking again.
//!
//! An endpoint that does not answer, or asks for fewer requests, is asked again after a while: twice as long each time, by a
//! random part shorter, so that many clients do not come back at the same moment.

use crate::chain::{Connection, Error};
use rand::Rng;
use std::time::Duration;
use tokio::time;

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// The longest that a request may take, with all that the [connection](crate::chain) tries by itself.
    pub request: Duration,
    /// How often a request is made before its failure is a failure.
    pub attempts: u32,
    /// The longest wait before the second attempt; it doubles with each, six times.
    pub backoff: Duration,
    /// Between two looks for a receipt.
    pub poll: Duration,
    /// After so long without a block, a transaction is sent again, and then replaced by one that offers more.
    pub stuck: Duration,
    /// How far what an endpoint says may lie behind what it has said before.
    pub late: Duration,
    /// After so long in which no transaction got into a block, a deployment stops.
    pub give_up: Duration,
}

impl Patience {
    /// For an endpoint.
    pub const ENDPOINT: Self = Self {
        request: Duration::from_secs(30),
        attempts: 4,
        backoff: Duration::from_millis(400),
        poll: Duration::from_millis(250),
        stuck: Duration::from_secs(30),
        late: Duration::from_secs(15),
        give_up: Duration::from_secs(600),
    };

    /// For a chain of this process, which answers at once or never.
    pub const EMBEDDED: Self = Self {
        request: Duration::from_secs(3600),
        attempts: 1,
        poll: Duration::from_millis(1),
        late: Duration::ZERO,
        ..Self::ENDPOINT
    };

    /// What suits a chain.
    pub fn of(chain: &Connection) -> Self {
        if chain.is_embedded() { Self::EMBEDDED } else { Self::ENDPOINT }
    }

    /// Asks until there is an answer or an error that will stay, or attempts run out.
    ///
    /// # Errors
    /// The last [`Error`]; [`Error::Transport`] where the answer takes too long.
    pub async fn ask<T, F: Future<Output = Result<T, Error>>>(
        &self,
        what: &'static str,
        mut request: impl FnMut() -> F,
    ) -> Result<T, Error> {
        let mut attempt = 1;
        loop {
            let answer = time::timeout(self.request, request()).await;
            let answer = answer.unwrap_or_else(|_| Err(no_answer(what, self.request)));
            match answer {
                Err(error) if error.is_temporary() && attempt < self.attempts => {
                    time::sleep(self.wait(attempt)).await;
                    attempt += 1;
                }
                answer => return answer,
            }
        }
    }

    /// The wait after the attempt of this number.
    pub(super) fn wait(&self, attempt: u32) -> Duration {
        let most = self.backoff * (1 << (attempt - 1).min(6));
        most.mul_f64(rand::rng().random_range(0.5..1.0))
    }
}

fn no_answer(what: &'static str, limit: Duration) -> Error {
    let message = format!("no answer within {} s", limit.as_secs_f32());
    Error::Transport { what, message, temporary: true }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    const SHORT: Patience = Patience {
        request: Duration::from_millis(20),
        attempts: 3,
        backoff: Duration::from_millis(1),
        ..Patience::ENDPOINT
    };

    async fn fails(temporary: bool) -> Result<(), Error> {
        Err(Error::Transport { what: "it", message: "no".into(), temporary })
    }

    #[tokio::test]
    async fn what_may_pass_is_asked_again() {
        for (temporary, attempts) in [(true, 3), (false, 1)] {
            let asked = Cell::new(0);
            let request = || {
                asked.set(asked.get() + 1);
                fails(temporary)
            };
            assert!(SHORT.ask("it", request).await.is_err());
            assert_eq!(asked.get(), attempts);
        }
        let slow = SHORT.ask("it", || async {
            time::sleep(Duration::from_secs(60)).await;
            Ok(())
        });
        assert_eq!(slow.await.unwrap_err().to_string(), "it: no answer within 0.02 s");
    }

    #[test]
    fn waits_grow_and_differ() {
        for (attempt, most) in [(1, 400), (2, 800), (5, 6_400), (7, 25_600), (40, 25_600)] {
            let wait = Patience::ENDPOINT.wait(attempt).as_millis();
            assert!((most / 2..=most).contains(&wait), "{attempt}: {wait}");
        }
    }
}
