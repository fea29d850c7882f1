//! The queue's task, which is to go on for as long as the server.

use tokio::task::{JoinError, JoinHandle};

/// The task, until it has ended.
pub(super) struct QueueTask(Option<JoinHandle<u64>>);

impl QueueTask {
    pub(super) fn new(task: JoinHandle<u64>) -> Self {
        Self(Some(task))
    }

    /// Ends when the task does, though nobody asked it to: what is to be said of that. It may be dropped and asked again.
    pub(super) async fn fault(&mut self) -> String {
        let Some(task) = &mut self.0 else { return std::future::pending().await };
        let ended = task.await;
        self.0 = None;
        format!(
            "the queue's work ended{}: no mail went out any more. What was accepted is in the spool, and goes out when the \
             server is started again; please report this",
            words(ended)
        )
    }

    /// Waits for the end that was asked for; how many attempts were cut off.
    pub(super) async fn ended(self) -> u64 {
        match self.0 {
            Some(task) => task.await.unwrap_or_default(),
            None => 0,
        }
    }
}

/// What a panic said.
fn words(ended: Result<u64, JoinError>) -> String {
    let Err(fault) = ended else { return String::new() };
    let Ok(panic) = fault.try_into_panic() else { return String::new() };
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.map(|text| format!(" by a fault of ours ({text})")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_ends_by_itself_is_a_fault_and_says_why() {
        let mut task = QueueTask::new(tokio::spawn(async { panic!("no item {}", 7) }));
        let told = task.fault().await;
        assert!(told.starts_with("the queue's work ended by a fault of ours (no item 7): no mail went out"), "{told}");
        assert_eq!(task.ended().await, 0);
    }

    #[tokio::test]
    async fn who_is_asked_to_end_says_what_was_cut() {
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let mut task = QueueTask::new(tokio::spawn(async { stopped.await.map_or(0, |()| 3) }));
        tokio::select! {
            biased;
            told = task.fault() => panic!("it goes on: {told}"),
            () = std::future::ready(()) => {}
        }
        stop.send(()).expect("it waits");
        assert_eq!(task.ended().await, 3);
    }
}
