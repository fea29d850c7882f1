//! The operators' side: the handle that the control socket holds, and carrying out one operation on one message.

use super::attempt::Work;
use super::outcomes;
use crate::base::event::Event;
use crate::base::fault::SpoolFault;
use crate::base::flow::Answer;
use crate::base::flow::attempt::NextHop;
use crate::base::flow::entry::{Entry, Fate, Progress};
use crate::base::flow::operator::{Operate, Selection};
use crate::base::flow::placement::Placement;
use crate::base::flow::ruling::Ruling;
use crate::base::flow::spool::Spool;
use crate::base::mail::id::QueueId;
use crate::base::time::UnixMillis;
use crate::path::queue::machine::After;
use crate::path::queue::operation::{Action, Operation};
use crate::path::queue::rules::Ways;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Messages that one operator's command works on at once.
const BATCH_MESSAGES_MAX: usize = 256;

/// The wait after a message that could not be read to be divided.
const DIVIDE_AGAIN: Duration = Duration::from_secs(1);

/// Whether the operation changed the message, or will when its attempt ends.
pub(super) type Acted = Result<bool, SpoolFault>;

/// An operation on some messages.
pub(super) struct Command {
    pub(super) ids: Vec<QueueId>,
    operation: Operation,
    answer: oneshot::Sender<Result<u64, SpoolFault>>,
}

/// The door for operators. The spool's own indices find what is selected; the machine acts by id.
pub(super) struct Handle {
    spool: Arc<dyn Spool>,
    commands: mpsc::Sender<Command>,
}

impl Handle {
    pub(super) fn new(spool: Arc<dyn Spool>, commands: mpsc::Sender<Command>) -> Self {
        Self { spool, commands }
    }

    async fn act(&self, action: Action, selection: Selection) -> Result<u64, SpoolFault> {
        let domain = selection.domain.as_deref().map(|domain| Arc::from(domain.to_lowercase()));
        let operation = Operation { action, domain, held: selection.held, ticket: None };
        let (mut acted, mut after) = (0, None);
        loop {
            let batch = self.spool.list(selection.clone(), after, BATCH_MESSAGES_MAX).await?;
            let Some(last) = batch.last() else { return Ok(acted) };
            after = Some(last.id);
            let ids = batch.iter().map(|entry| entry.id).collect();
            let (answer, answered) = oneshot::channel();
            let command = Command { ids, operation: operation.clone(), answer };
            self.commands.send(command).await.map_err(|_| SpoolFault::Closing)?;
            acted += answered.await.map_err(|_| SpoolFault::Closing)??;
        }
    }
}

impl Operate for Handle {
    fn list(
        &self,
        selection: Selection,
        after: Option<QueueId>,
        limit: usize,
    ) -> Answer<'_, Result<Vec<Arc<Entry>>, SpoolFault>> {
        self.spool.list(selection, after, limit)
    }

    fn retry(&self, selection: Selection) -> Answer<'_, Result<u64, SpoolFault>> {
        Box::pin(self.act(Action::Retry, selection))
    }

    fn cancel(&self, selection: Selection) -> Answer<'_, Result<u64, SpoolFault>> {
        Box::pin(self.act(Action::Cancel, selection))
    }

    fn rebind(&self, selection: Selection) -> Answer<'_, Result<u64, SpoolFault>> {
        Box::pin(self.act(Action::Rebind, selection))
    }
}

/// Commands whose operations are not all carried out.
#[derive(Default)]
pub(super) struct Tickets {
    open: HashMap<u64, Ticket>,
    next: u64,
}

struct Ticket {
    left: usize,
    acted: u64,
    fault: Option<SpoolFault>,
    answer: oneshot::Sender<Result<u64, SpoolFault>>,
}

impl Tickets {
    /// Notes who waits; the operation then carries the ticket. None when there is nothing to do.
    pub(super) fn open(&mut self, command: Command) -> Option<Operation> {
        let left = command.ids.len();
        if left == 0 {
            // Gone is whoever does not hear it.
            let _gone = command.answer.send(Ok(0));
            return None;
        }
        self.next += 1;
        self.open.insert(self.next, Ticket { left, acted: 0, fault: None, answer: command.answer });
        Some(Operation { ticket: Some(self.next), ..command.operation })
    }

    /// One of the ticket's operations was carried out.
    pub(super) fn one_done(&mut self, number: u64, acted: Acted) {
        let Some(ticket) = self.open.get_mut(&number) else { return };
        ticket.left -= 1;
        match acted {
            Ok(acted) => ticket.acted += u64::from(acted),
            Err(fault) => ticket.fault = Some(fault),
        }
        if ticket.left == 0
            && let Some(ticket) = self.open.remove(&number)
        {
            // Gone is whoever does not hear it.
            let _gone = ticket.answer.send(ticket.fault.map_or(Ok(ticket.acted), Err));
        }
    }

    /// Nobody will be answered any more: all hear that the server is going down.
    pub(super) fn clear(&mut self) {
        self.open.clear();
    }
}

impl Work {
    /// Carries out one operation on one message. A failure of the spool is the operator's to see: nothing is changed
    /// then, and nothing is tried again.
    pub(super) async fn operate(
        &self,
        id: QueueId,
        operation: &Operation,
        except: &[Arc<NextHop>],
        ways: &Ways,
    ) -> (After, Acted) {
        let entry = match self.doors.spool.entry(id).await {
            Ok(Some(entry)) => entry,
            Ok(None) => return (After::Gone, Ok(false)),
            Err(fault) => {
                // Nobody waits for a division, and it will be asked for again.
                if operation.action == Action::Divide {
                    self.doors.clock.sleep_until(self.doors.clock.now().mono + DIVIDE_AGAIN).await;
                }
                return (After::Unknown, Err(fault));
            }
        };
        let now = self.doors.clock.now().wall;
        let Chosen { changes, placements, under_way } = choose(&entry, operation, except, ways, now);
        if changes.is_empty() {
            return (After::Entry(entry), Ok(under_way));
        }
        let changed = changes.clone();
        let ruling = Ruling { id, changes, placements, notifications: Vec::new() };
        let left = match self.doors.spool.rule(ruling).await {
            Ok(left) => left,
            Err(fault) => return (After::Unknown, Err(fault)),
        };
        outcomes::tell_ended(&*self.doors.policy, &entry, None, &changed);
        let action = match operation.action {
            Action::Retry => "retry",
            Action::Cancel => "cancel",
            Action::Rebind => "rebind",
            Action::Divide => "divide",
        };
        self.doors.observe.event(Event::Operated { id, action });
        (self.left(id, left), Ok(true))
    }
}

struct Chosen {
    changes: Vec<(u32, Progress)>,
    placements: Vec<(u32, Option<Placement>)>,
    /// It concerns a recipient that is being worked on, too.
    under_way: bool,
}

fn choose(entry: &Entry, operation: &Operation, except: &[Arc<NextHop>], ways: &Ways, now: UnixMillis) -> Chosen {
    let mut chosen = Chosen { changes: Vec::new(), placements: Vec::new(), under_way: false };
    for ((index, recipient), progress) in (0u32..).zip(&entry.envelope.recipients).zip(&entry.progress) {
        let domain = recipient.address.domain();
        if !operation.concerns(progress, domain) {
            continue;
        }
        let pending = matches!(progress, Progress::Pending { .. });
        if pending && !except.is_empty() {
            let hop = ways.of(entry, usize::try_from(index).unwrap_or(usize::MAX));
            if except.iter().any(|busy| **busy == hop) {
                chosen.under_way = true;
                continue;
            }
        }
        let change = match (operation.action, progress) {
            (Action::Divide, _) => continue,
            (Action::Cancel, _) => Progress::Done(Fate::Cancelled),
            (Action::Retry | Action::Rebind, Progress::Pending { attempts, last, delay_told, .. }) => {
                Progress::Pending { attempts: *attempts, due: now, last: last.clone(), delay_told: *delay_told }
            }
            (Action::Retry | Action::Rebind, _) => Progress::fresh(now),
        };
        if operation.action == Action::Rebind {
            chosen.placements.push((index, None));
        }
        chosen.changes.push((index, change));
    }
    chosen
}
