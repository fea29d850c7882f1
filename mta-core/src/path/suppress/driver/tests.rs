//! Lists under concurrency, over restarts and failing disks, against a list that is a map.

use super::super::lists::{LISTS_MAX, LOOKED_AT_MAX};
use super::*;
use crate::base::flow::operator::suppression::Found as Matches;
use crate::base::time::{Now, UnixMillis};
use crate::base::world::store::Found;
use crate::edge::store;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex as StdMutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

struct Standing(Instant);

impl Clock for Standing {
    fn now(&self) -> Now {
        Now { mono: self.0, wall: UnixMillis(1_700_000_000_000) }
    }

    fn sleep_until(&self, _: Instant) -> Answer<'static, ()> {
        Box::pin(std::future::ready(()))
    }
}

#[derive(Default)]
struct Heard(StdMutex<Vec<String>>);

impl Observe for Heard {
    fn event(&self, event: Event<'_>) {
        self.0.lock().expect("whole").push(event.name().to_owned());
    }
}

/// A journal that fails while it is told to, and counts its appends.
struct Faulty {
    inner: Arc<dyn Journal>,
    fails: AtomicBool,
    appends: AtomicUsize,
}

impl Journal for Faulty {
    fn append(&self, records: Vec<Record>) -> Answer<'_, Result<Vec<Position>, StoreFault>> {
        self.appends.fetch_add(1, Ordering::Relaxed);
        match self.fails.load(Ordering::Relaxed) {
            true => Box::pin(std::future::ready(Err(StoreFault::Full))),
            false => self.inner.append(records),
        }
    }

    fn read(&self, at: Position, payload_bytes: usize) -> Answer<'_, Result<Found, StoreFault>> {
        self.inner.read(at, payload_bytes)
    }

    fn replay(&self, from: Position, bytes: usize) -> Answer<'_, Result<Vec<Found>, StoreFault>> {
        self.inner.replay(from, bytes)
    }

    fn extent(&self) -> (Position, Position) {
        self.inner.extent()
    }

    fn trim(&self, before: Position) -> Answer<'_, Result<(), StoreFault>> {
        self.inner.trim(before)
    }
}

fn journal(dir: &Path) -> Arc<Faulty> {
    let inner: Arc<dyn Journal> = store::journal::open(dir, 64 * 1024).expect("a journal");
    Arc::new(Faulty { inner, fails: AtomicBool::new(false), appends: AtomicUsize::new(0) })
}

async fn opened(journal: Option<Arc<Faulty>>, heard: &Arc<Heard>) -> Suppressor {
    let journal = journal.map(|journal| journal as Arc<dyn Journal>);
    let clock = Arc::new(Standing(Instant::now()));
    Suppressor::open(journal, clock, heard.clone()).await.expect("the disk works")
}

fn list(scope: &str, tenant: Option<&str>) -> ListName {
    ListName { scope: scope.into(), tenant: tenant.map(Into::into) }
}

fn address(text: &str) -> Address {
    Address::parse(text).expect("an address")
}

async fn add(suppressor: &Suppressor, to: &ListName, who: &str, reason: Reason) -> Result<u64, SuppressFault> {
    suppressor.add(to.clone(), vec![(address(who), reason)], "operator".into()).await
}

#[tokio::test]
async fn what_was_answered_outlives_the_server_without_a_last_word() {
    let (dir, heard) = (tempfile::tempdir().expect("a directory"), Arc::new(Heard::default()));
    let (news, other) = (list("news", None), list("news", Some("t")));
    {
        let suppressor = opened(Some(journal(dir.path())), &heard).await;
        assert_eq!(add(&suppressor, &news, "Ann@Example.org", Reason::Complaint).await, Ok(1));
        assert_eq!(add(&suppressor, &news, "ann@example.org", Reason::Manual).await, Ok(0), "the first reason stays");
        assert_eq!(add(&suppressor, &news, "bob@example.org", Reason::Manual).await, Ok(1));
        assert_eq!(suppressor.remove(news.clone(), address("BOB@example.org")).await, Ok(true));
        assert_eq!(suppressor.remove(news.clone(), address("bob@example.org")).await, Ok(false));
        assert_eq!(add(&suppressor, &other, "bob@example.org", Reason::HardBounce).await, Ok(1));
    }
    let suppressor = opened(Some(journal(dir.path())), &heard).await;
    let contains = |list: &ListName, who: &str| suppressor.contains(list, &address(who));
    assert_eq!(contains(&news, "ann@EXAMPLE.org"), Some(Reason::Complaint));
    assert_eq!((contains(&news, "bob@example.org"), contains(&other, "ann@example.org")), (None, None));
    assert_eq!(contains(&other, "bob@example.org"), Some(Reason::HardBounce));
    let held = Held { reason: Reason::Complaint, since: UnixMillis(1_700_000_000_000), by: "operator".into() };
    assert_eq!(suppressor.page(&news, None, 9), [("ann@example.org".into(), held)]);
    assert_eq!(heard.0.lock().expect("whole").len(), 0);
}

#[tokio::test]
async fn a_search_looks_at_so_many_and_says_where_it_ended() {
    let suppressor = opened(None, &Arc::default()).await;
    let name = list("news", None);
    let count = LOOKED_AT_MAX + 5;
    let who = (0..count).map(|number| (address(&format!("a{number:06}@Example.org")), Reason::Manual));
    assert_eq!(suppressor.add(name.clone(), who.collect(), "operator".into()).await, Ok(count as u64));
    let search = |containing, after, limit| suppressor.search(&name, Search { containing, after, limit });
    let names = |found: &Matches| found.entries.iter().map(|(who, _)| who.to_string()).collect::<Vec<_>>();

    let last = format!("a{:06}@example.org", count - 1);
    let first = search("A010004", None, 9);
    let end = format!("a{:06}@example.org", LOOKED_AT_MAX - 1);
    assert_eq!((names(&first), first.after.as_deref()), (Vec::new(), Some(end.as_str())));
    assert_eq!(first.looked_at_bytes, (LOOKED_AT_MAX * end.len()) as u64);
    let second = search("A010004", first.after.as_deref(), 9);
    assert_eq!((names(&second), second.after), (vec![last.clone()], None));

    let page = search("", None, 2);
    assert_eq!((page.entries.len(), page.after.as_deref()), (2, Some("a000001@example.org")));
    assert_eq!(names(&search("", Some(&last), 2)), Vec::<String>::new());
    assert_eq!(search("", None, 0).entries, []);
    assert_eq!(
        suppressor.search(&list("other", None), Search { containing: "", after: None, limit: 9 }),
        Matches::default()
    );
    let found = suppressor.find(&name, &address("A000001@EXAMPLE.org")).expect("it is there");
    assert_eq!((&*found.0, found.1.reason), ("a000001@example.org", Reason::Manual));
    assert_eq!(suppressor.find(&name, &address("nobody@example.org")), None);
}

#[tokio::test]
async fn those_who_wait_are_written_together() {
    let (dir, heard) = (tempfile::tempdir().expect("a directory"), Arc::new(Heard::default()));
    let journal = journal(dir.path());
    let suppressor = opened(Some(journal.clone()), &heard).await;
    let name = list("news", None);
    let many = (0..100).map(|n| {
        let (suppressor, name) = (&suppressor, &name);
        async move { add(suppressor, name, &format!("a{n}@example.org"), Reason::Manual).await }
    });
    let done = futures_util::future::join_all(many).await;
    assert!(done.iter().all(|done| *done == Ok(1)));
    assert!(journal.appends.load(Ordering::Relaxed) <= 3, "one flush for all that waited");
    assert_eq!(suppressor.page(&name, None, 1000).len(), 100);
}

#[tokio::test]
async fn a_disk_that_fails_is_told_and_the_change_is_written_with_the_next() {
    let (dir, heard) = (tempfile::tempdir().expect("a directory"), Arc::new(Heard::default()));
    let (journal, name) = (journal(dir.path()), list("news", None));
    {
        let suppressor = opened(Some(journal.clone()), &heard).await;
        journal.fails.store(true, Ordering::Relaxed);
        let failed = add(&suppressor, &name, "ann@example.org", Reason::Manual).await;
        assert_eq!(failed, Err(SuppressFault::Unkept("no space left on the device".to_owned())));
        assert_eq!(suppressor.contains(&name, &address("ann@example.org")), Some(Reason::Manual), "it is in force");
        assert_eq!(*heard.0.lock().expect("whole"), ["suppression-unkept"]);
        journal.fails.store(false, Ordering::Relaxed);
        assert_eq!(add(&suppressor, &name, "bob@example.org", Reason::Manual).await, Ok(1));
    }
    let suppressor = opened(Some(journal), &heard).await;
    assert_eq!(suppressor.page(&name, None, 9).len(), 2);
}

#[tokio::test]
async fn a_journal_that_grew_is_written_anew_and_keeps_everything() {
    let (dir, heard) = (tempfile::tempdir().expect("a directory"), Arc::new(Heard::default()));
    let (journal, name) = (journal(dir.path()), list("news", None));
    let length = || journal.extent().1.0 - journal.extent().0.0;
    {
        let suppressor = opened(Some(journal.clone()), &heard).await;
        let mut longest = 0;
        for round in 0..60 {
            let of = |n: u32| address(&format!("someone-with-a-rather-long-name-{n}@a-long-domain.example.org"));
            let who = (0..1000).map(|n| (of(n), Reason::Manual)).collect();
            suppressor.add(name.clone(), who, "operator".into()).await.expect("the disk works");
            longest = longest.max(length());
            for n in 0..if round == 59 { 0 } else { 1000 } {
                suppressor.lists.remove(name.clone(), key(&of(n)));
            }
        }
        assert!(longest > SHORT_BYTES / 2 && length() < 2 * SHORT_BYTES, "{longest}, then {}", length());
    }
    let suppressor = opened(Some(journal), &heard).await;
    assert_eq!(suppressor.page(&name, None, 5000).len(), 1000);
}

#[tokio::test]
async fn lists_are_bounded_and_an_empty_one_makes_room() {
    let suppressor = opened(None, &Arc::default()).await;
    for n in 0..LISTS_MAX {
        assert_eq!(add(&suppressor, &list(&n.to_string(), None), "a@b.test", Reason::Manual).await, Ok(1));
    }
    let more = list("more", None);
    assert_eq!(add(&suppressor, &more, "a@b.test", Reason::Manual).await, Err(SuppressFault::Full));
    assert_eq!(suppressor.remove(list("7", None), address("a@b.test")).await, Ok(true));
    assert_eq!(add(&suppressor, &more, "a@b.test", Reason::Manual).await, Ok(1));
}

/// Adds or removes address number `who` on list number `list`.
#[derive(Clone, Copy, Debug)]
struct Step {
    list: u8,
    who: u8,
    add: bool,
}

fn step() -> impl Strategy<Value = Step> {
    (0..2u8, 0..6u8, any::<bool>()).prop_map(|(list, who, add)| Step { list, who, add })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Tasks on several threads change lists, each address in one task alone; at any time the disk may fail. In the end
    /// memory is what the steps say, and so is what a restart finds, once the disk works.
    #[test]
    fn lists_are_what_was_done_to_them(tasks in prop::collection::vec(prop::collection::vec(step(), 0..30), 1..4), fail in any::<bool>()) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("threads");
        let wanted = runtime.block_on(async {
            let (dir, heard) = (tempfile::tempdir().expect("a directory"), Arc::new(Heard::default()));
            let journal = journal(dir.path());
            let suppressor = Arc::new(opened(Some(journal.clone()), &heard).await);
            let mut wanted: BTreeMap<(u8, String), bool> = BTreeMap::new();
            let mut running = Vec::new();
            for (task, steps) in tasks.into_iter().enumerate() {
                let who = move |step: Step| format!("a{}.{task}@example.org", step.who);
                wanted.extend(steps.iter().map(|step| ((step.list, who(*step)), step.add)));
                let (suppressor, journal) = (suppressor.clone(), journal.clone());
                running.push(tokio::spawn(async move {
                    for (n, step) in steps.into_iter().enumerate() {
                        journal.fails.store(fail && n % 3 == 1, Ordering::Relaxed);
                        let (name, who) = (list(&step.list.to_string(), None), address(&who(step)));
                        // What fails is in force, and is written with what follows.
                        if step.add {
                            let _ = suppressor.add(name, vec![(who, Reason::Manual)], "p".into()).await;
                        } else {
                            let _ = suppressor.remove(name, who).await;
                        }
                    }
                }));
            }
            for task in running {
                task.await.expect("no task panics");
            }
            journal.fails.store(false, Ordering::Relaxed);
            add(&suppressor, &list("last", None), "a@b.test", Reason::Manual).await.expect("the disk works");
            let again = opened(Some(journal), &heard).await;
            let found = |of: &Suppressor| {
                wanted.keys().map(|(n, who)| of.contains(&list(&n.to_string(), None), &address(who)).is_some()).collect::<Vec<_>>()
            };
            (wanted.values().copied().collect::<Vec<_>>(), found(&suppressor), found(&again))
        });
        prop_assert_eq!(&wanted.1, &wanted.0);
        prop_assert_eq!(&wanted.2, &wanted.0);
    }
}
