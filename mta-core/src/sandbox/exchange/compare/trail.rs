//! The calls of a transaction while it lives, for those who go along with the mail; and those who record them.

use crate::base::flow::operator::trial::{Recorded, Said};
use crate::base::flow::policy::Hook;
use crate::base::mail::content::{Body, Content};
use crate::base::mail::id::QueueId;
use crate::sandbox::fault::Fault;
use crate::sandbox::host::questions::Question;
use crate::sandbox::scene::{DeliveryScene, Mark, MessageScene};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// A hook and what it was asked.
#[derive(Clone, Debug)]
pub(crate) enum Ask {
    /// An envelope hook.
    Gate(Question),
    /// `on-data`.
    Data,
    /// `on-route`.
    Route(Box<DeliveryScene>),
    /// `on-pre-send`.
    PreSend(Box<DeliveryScene>),
}

/// One call.
#[derive(Debug)]
pub(crate) struct Step {
    /// Who was asked, by its index in the generation; none: the whole chain.
    pub(crate) by: Option<usize>,
    pub(crate) asked: Ask,
    /// The message as it stood before.
    pub(crate) message: Option<MessageScene>,
    pub(crate) said: Said,
}

impl Step {
    /// The hook.
    pub(crate) fn hook(&self) -> Hook {
        match &self.asked {
            Ask::Gate(question) => question.hook(),
            Ask::Data => Hook::Data,
            Ask::Route(_) => Hook::Route,
            Ask::PreSend(_) => Hook::PreSend,
        }
    }

    /// The message that it is about.
    pub(crate) fn id(&self) -> Option<QueueId> {
        self.message.as_ref().map(|message| message.id)
    }
}

/// A fault as an answer.
pub(crate) fn fault_said(fault: &Fault) -> Said {
    let at = fault.frames.first().map(|frame| format!(" at {frame}")).unwrap_or_default();
    Said { verdict: format!("fault {}: {}{at}", fault.kind.name(), fault.why), edits: Vec::new() }
}

/// Calls of one transaction that are kept; a message may have a thousand recipients.
const STEPS_MAX: usize = 256;
/// Content of transactions that wait for their followers, in units of [`UNIT_BYTES`].
const CONTENT_UNITS_MAX: usize = 64 * 1024;
const UNIT_BYTES: u64 = 1024;
/// Recordings at once.
const RECORDERS_MAX: usize = 4;
/// Recorded transactions that wait for their reader.
const RECORDED_WAITING_MAX: usize = 64;

/// What the host keeps for those who go along.
pub(crate) struct Trials {
    content: Arc<Semaphore>,
    /// Somebody records: looked at for each transaction.
    recording: AtomicBool,
    recorders: Mutex<Vec<Recorder>>,
}

struct Recorder {
    plugin: Box<str>,
    calls_left: u64,
    out: mpsc::Sender<Recorded>,
}

impl Default for Trials {
    fn default() -> Self {
        let content = Arc::new(Semaphore::new(CONTENT_UNITS_MAX));
        Self { content, recording: AtomicBool::new(false), recorders: Mutex::default() }
    }
}

impl Trials {
    /// Records the plugin's next calls, until there were so many or the receiver is gone.
    pub(crate) fn record(&self, plugin: &str, calls: u64) -> Result<mpsc::Receiver<Recorded>, String> {
        let mut recorders = self.recorders.lock().unwrap_or_else(PoisonError::into_inner);
        recorders.retain(|recorder| !recorder.out.is_closed());
        if recorders.len() >= RECORDERS_MAX {
            return Err(format!("{RECORDERS_MAX} recordings are under way already: let one end"));
        }
        let (out, recorded) = mpsc::channel(RECORDED_WAITING_MAX);
        recorders.push(Recorder { plugin: plugin.into(), calls_left: calls, out });
        self.recording.store(true, Ordering::Relaxed);
        Ok(recorded)
    }

    /// Whom the plugins' calls are to be sent to, and which. What was asked for is counted at once, so that it ends.
    pub(crate) fn wanted<'a>(
        &self,
        plugins: &(impl Iterator<Item = &'a str> + Clone),
        steps: &[Step],
    ) -> Vec<(Vec<usize>, mpsc::Sender<Recorded>)> {
        if !self.recording.load(Ordering::Relaxed) {
            return Vec::new();
        }
        let mut recorders = self.recorders.lock().unwrap_or_else(PoisonError::into_inner);
        recorders.retain(|recorder| recorder.calls_left > 0 && !recorder.out.is_closed());
        self.recording.store(!recorders.is_empty(), Ordering::Relaxed);
        let mut wanted = Vec::new();
        for recorder in recorders.iter_mut() {
            let by = plugins.clone().position(|name| *name == *recorder.plugin);
            let most = usize::try_from(recorder.calls_left).unwrap_or(usize::MAX);
            let own = steps.iter().enumerate().filter(|(_, step)| by.is_some() && step.by == by);
            let own: Vec<usize> = own.map(|(at, _)| at).take(most).collect();
            if !own.is_empty() {
                recorder.calls_left -= own.len() as u64;
                wanted.push((own, recorder.out.clone()));
            }
        }
        recorders.retain(|recorder| recorder.calls_left > 0);
        wanted
    }

    /// Whether anybody records anything: looked at for each transaction.
    pub(crate) fn is_recording_any(&self) -> bool {
        self.recording.load(Ordering::Relaxed)
    }

    /// The transaction's share of what may wait; none if there is no room.
    pub(crate) fn share(&self, steps: &[Step]) -> Option<OwnedSemaphorePermit> {
        let bytes = |content: &Content| {
            let body = match &content.body {
                Body::Memory(body) => body.len(),
                Body::Stored { .. } => 0,
            };
            (content.head.len() + body) as u64
        };
        // All steps of a transaction are about one message.
        let most = steps.iter().filter_map(|step| step.message.as_ref()).map(|message| bytes(&message.content)).max();
        let units = u32::try_from(most.unwrap_or_default().div_ceil(UNIT_BYTES)).ok()?;
        self.content.clone().try_acquire_many_owned(units).ok()
    }

    /// Whether anybody records the plugin.
    pub(crate) fn is_recording(&self, plugin: &str) -> bool {
        let recorders = self.recorders.lock().unwrap_or_else(PoisonError::into_inner);
        recorders.iter().any(|recorder| *recorder.plugin == *plugin)
    }
}

/// The calls of a transaction that somebody is interested in.
pub(crate) struct Trail {
    /// Whether anybody wants the calls of each plugin; the last is for the whole chain.
    wanted: Vec<bool>,
    pub(crate) steps: Vec<Step>,
    /// Calls that were not kept.
    pub(crate) missed: u64,
}

/// A call that is under way.
pub(crate) struct Shown {
    by: Option<usize>,
    message: Option<MessageScene>,
    mark: Mark,
}

impl Trail {
    /// `wanted` says whether anybody wants the calls of each plugin of the generation, and at last those of the whole chain.
    pub(crate) fn new(wanted: Vec<bool>) -> Box<Self> {
        Box::new(Self { wanted, steps: Vec::new(), missed: 0 })
    }

    /// A plugin, or the chain, is about to be asked.
    pub(crate) fn shown(trail: Option<&Self>, by: Option<usize>, message: Option<&MessageScene>) -> Option<Shown> {
        let trail = trail?;
        let place = by.map_or(trail.wanted.last(), |by| trail.wanted.get(by));
        let wanted = place.copied().unwrap_or_default();
        wanted.then(|| Shown {
            by,
            message: message.map(MessageScene::twin),
            mark: message.map_or_else(Mark::default, MessageScene::mark),
        })
    }

    /// It answered.
    pub(crate) fn said<T>(
        trail: Option<&mut Box<Self>>,
        shown: Option<Shown>,
        asked: impl FnOnce() -> Ask,
        answer: Result<&T, &Fault>,
        words: impl FnOnce(&T) -> String,
        message: Option<&MessageScene>,
    ) {
        let (Some(trail), Some(Shown { by, message: before, mark })) = (trail, shown) else { return };
        if trail.steps.len() >= STEPS_MAX {
            trail.missed += 1;
            return;
        }
        let said = match answer {
            Ok(answer) => Said {
                verdict: words(answer),
                edits: message.map_or_else(Vec::new, |message| message.words_since(mark)),
            },
            Err(fault) => fault_said(fault),
        };
        trail.steps.push(Step { by, asked: asked(), message: before, said });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::flow::policy::Gate;
    use crate::base::mail::envelope::BodyType;
    use crate::sandbox::fault::Kind;
    use crate::sandbox::scene::body::BodyScene;
    use bytes::Bytes;

    fn message(body_bytes: usize) -> MessageScene {
        MessageScene {
            id: QueueId(1),
            content: Content { head: Bytes::new(), body: Body::Memory(vec![0; body_bytes].into()) },
            sender: None,
            recipients: Vec::new(),
            whole: true,
            results: Arc::default(),
            is_ours: false,
            headers: Vec::new(),
            envelope: Vec::new(),
            tags: Vec::new(),
            body: BodyScene::new(BodyType::SevenBit, None),
        }
    }

    fn say(trail: &mut Box<Trail>, by: Option<usize>, answer: Result<&Gate, &Fault>) {
        let shown = Trail::shown(Some(trail), by, None);
        let ask = || Ask::Gate(Question::Connect);
        Trail::said(Some(trail), shown, ask, answer, super::super::words::gate, None);
    }

    #[test]
    fn what_nobody_wants_is_not_kept_and_the_rest_is_bounded() {
        let mut trail = Trail::new(vec![false, true, true]);
        say(&mut trail, Some(0), Ok(&Gate::Next));
        say(&mut trail, Some(1), Err(&Fault::new(Kind::Cpu, "spent")));
        say(&mut trail, None, Ok(&Gate::Accept));
        let said: Vec<_> = trail.steps.iter().map(|step| (step.by, &*step.said.verdict)).collect();
        assert_eq!(said, [(Some(1), "fault cpu: spent"), (None, "accept")]);
        (0..STEPS_MAX).for_each(|_| say(&mut trail, None, Ok(&Gate::Next)));
        assert_eq!((trail.steps.len(), trail.missed), (STEPS_MAX, 2));
        assert!(Trail::shown(None, Some(1), None).is_none());
    }

    #[test]
    fn content_that_waits_is_bounded() {
        let trials = Trials::default();
        let step = |bytes: usize| {
            let said = Said::next();
            vec![Step { by: None, asked: Ask::Data, message: Some(message(bytes)), said }]
        };
        let half = trials.share(&step(32 << 20)).expect("there is room");
        assert!(trials.share(&step((32 << 20) + 1)).is_none());
        let rest = trials.share(&step(32 << 20)).expect("just so");
        assert!(trials.share(&step(1)).is_none() && trials.share(&[]).is_some());
        drop((half, rest));
        assert!(trials.share(&step(1)).is_some());
    }

    #[test]
    fn a_recording_ends_with_its_calls_or_its_reader_and_there_are_few() {
        let trials = Trials::default();
        let step = || Step { by: Some(0), asked: Ask::Data, message: None, said: Said::next() };
        let wanted = |steps: &[Step]| {
            trials.wanted(&["a", "b"].into_iter(), steps).iter().map(|(at, _)| at.len()).sum::<usize>()
        };
        let first = trials.record("a", 3).expect("recorded");
        assert!(trials.is_recording("a") && !trials.is_recording("b"));
        assert_eq!((wanted(&[step(), step()]), wanted(&[step(), step()]), wanted(&[step()])), (2, 1, 0));
        assert!(!trials.is_recording("a"));
        let all: Vec<_> = (0..RECORDERS_MAX).map(|_| trials.record("b", 1).expect("recorded")).collect();
        assert!(trials.record("b", 1).is_err_and(|why| why.contains("under way already")));
        drop((first, all));
        assert!(trials.record("b", 1).is_ok(), "those readers went");
    }
}
