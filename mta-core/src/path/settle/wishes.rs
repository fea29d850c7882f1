//! Who wants to be told of what (RFC 3461 4.1).

use super::notice::Action;
use crate::base::mail::envelope::Notify;

/// Whether the sender asked to be told. Without NOTIFY failures are told, delays as the MTA sees fit (we tell), and
/// successes are not; `NEVER` is a `Notify` without any of the three.
pub(super) fn wants(notify: Option<Notify>, action: Action) -> bool {
    let notify = notify.unwrap_or(Notify { success: false, failure: true, delay: true });
    match action {
        Action::Failed => notify.failure,
        Action::Delayed => notify.delay,
        Action::Relayed | Action::Delivered => notify.success,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_failure_and_delay_and_never_is_never_rfc3461_4_1() {
        let told = |notify| {
            [Action::Failed, Action::Delayed, Action::Relayed, Action::Delivered].map(|action| wants(notify, action))
        };
        let notify = |success, failure, delay| Some(Notify { success, failure, delay });
        assert_eq!(told(None), [true, true, false, false]);
        assert_eq!(told(notify(false, false, false)), [false; 4]);
        assert_eq!(told(notify(true, false, false)), [false, false, true, true]);
        assert_eq!(told(notify(false, true, false)), [true, false, false, false]);
        assert_eq!(told(notify(false, false, true)), [false, true, false, false]);
    }
}
