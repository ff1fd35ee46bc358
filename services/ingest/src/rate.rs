//! How many requests a key may send.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use crate::caller::Caller;
use crate::rejection::Rejection;

/// One budget per key; everyone without a key shares one.
pub(crate) struct Rates {
    quota: Option<Quota>,
    limiters: Mutex<HashMap<String, Arc<DefaultDirectRateLimiter>>>,
}

impl Rates {
    /// No limit for 0.
    pub(crate) fn new(requests_per_second: u32) -> Self {
        Self { quota: NonZeroU32::new(requests_per_second).map(Quota::per_second), limiters: Mutex::default() }
    }

    /// Counts a request, and refuses it when its key has spent its budget.
    pub(crate) fn check(&self, caller: &Caller) -> Result<(), Rejection> {
        let Some(quota) = self.quota else { return Ok(()) };
        let key = match caller {
            Caller::Holder(grants) => grants.first().map_or("", |grant| grant.key.as_str()),
            Caller::Anyone | Caller::Link => "",
        };
        let limiter = {
            let mut limiters = self.limiters.lock().unwrap_or_else(PoisonError::into_inner);
            limiters.entry(key.to_owned()).or_insert_with(|| Arc::new(RateLimiter::direct(quota))).clone()
        };
        limiter.check().map_err(|_| {
            Rejection::new("rate_limited", format!("at most {} requests a second with this key", quota.burst_size()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apps::Grant;

    #[test]
    fn each_key_has_a_budget_of_its_own() {
        let holder = |key: &str| Caller::Holder(vec![Grant { key: key.into(), app: "a".into(), scopes: vec![] }]);
        let rates = Rates::new(2);
        let code = |caller| rates.check(&caller).map_or_else(|rejection| rejection.code, |()| "ok");
        let one = [code(holder("one")), code(holder("one")), code(holder("one"))];
        assert_eq!(one, ["ok", "ok", "rate_limited"]);
        assert_eq!(code(holder("two")), "ok");
        assert!((0..1_000).all(|_| Rates::new(0).check(&Caller::Anyone).is_ok()));
    }
}
