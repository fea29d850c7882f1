//! Which hosts are tried, and from which of our addresses.

use super::*;
use std::net::IpAddr;
use tokio::sync::watch;

#[tokio::test]
async fn hosts_that_all_refuse_for_good_bounce_and_one_that_is_down_defers_rfc5321_3_1() {
    let world = World::new();
    world.exchange("b.test", Ok(vec![mx(10, "one"), mx(20, "two")]));
    world.name("one", &["192.0.2.1"]);
    world.name("two", &["192.0.2.2"]);
    let refusing = Script { greeting: "521 5.3.2 no mail here", ..willing() };
    world.serve("192.0.2.1:25", refusing.clone());
    let report = deliverer(&world).attempt(attempt(exchangers("b.test"), &["r@b.test"])).await;
    assert_eq!((results(&report), report.trouble), (vec!["deferred 451".to_owned()], Some(Scope::Site)));
    world.serve("192.0.2.2:25", refusing);
    let report = deliverer(&world).attempt(attempt(exchangers("b.test"), &["r@b.test"])).await;
    assert_eq!(results(&report), ["failed 521"]);
}

#[tokio::test]
async fn an_exchanger_that_could_not_be_looked_up_may_take_the_mail_tomorrow_rfc5321_4_5_4_1() {
    let refusing = Script { greeting: "554 5.7.1 no mail here", ..willing() };
    for lost in ["one", "two"] {
        let world = World::new();
        world.exchange("b.test", Ok(vec![mx(10, "one"), mx(20, "two")]));
        ["one", "two"].iter().for_each(|host| world.name(host, &["192.0.2.1"]));
        world.lose(lost);
        world.serve("192.0.2.1:25", refusing.clone());
        let report = deliverer(&world).attempt(attempt(exchangers("b.test"), &["r@b.test"])).await;
        assert_eq!(results(&report), ["deferred 451"], "{lost}");
        assert!(words(&report).contains("name servers"), "{report:?}");
        // Where another host takes it, nothing is said.
        world.serve("192.0.2.1:25", willing());
        let report = deliverer(&world).attempt(attempt(exchangers("b.test"), &["r@b.test"])).await;
        assert_eq!(results(&report), ["delivered 250"], "{lost}");
    }
}

#[tokio::test]
async fn connections_come_from_the_addresses_of_a_pool_in_turn_and_are_its_own() {
    let world = World::new();
    world.serve(SINK, willing());
    let addresses = ["192.0.2.1", "2001:db8::1", "192.0.2.2"].map(|ip| ip.parse().expect("a literal")).to_vec();
    world.pools.lock().expect("whole").push(Pool { name: "ours".into(), addresses });
    let deliverer = deliverer(&world);
    let pooled = || NextHop::From("ours".into(), Box::new(smarthost()));
    let kept = || deliverer.connections.sweep();
    assert_eq!(results(&deliverer.attempt(attempt(pooled(), &["a@b.test"])).await), ["delivered 250"]);
    // The same connection again; mail that is not of the pool has another.
    assert_eq!(results(&deliverer.attempt(attempt(pooled(), &["a@b.test"])).await), ["delivered 250"]);
    assert_eq!(results(&deliverer.attempt(attempt(smarthost(), &["a@b.test"])).await), ["delivered 250"]);
    world.pass(Duration::from_secs(3600));
    kept();
    assert_eq!(results(&deliverer.attempt(attempt(pooled(), &["a@b.test"])).await), ["delivered 250"]);
    let from = |ip: &str| Some(ip.parse::<IpAddr>().expect("a literal"));
    assert_eq!(*world.sources.lock().expect("whole"), [from("192.0.2.1"), None, from("192.0.2.2")]);
}

#[tokio::test]
async fn a_pool_without_an_address_of_the_family_is_told_and_tried_again() {
    let world = World::new();
    let addresses = vec!["2001:db8::1".parse().expect("a literal")];
    world.pools.lock().expect("whole").push(Pool { name: "six".into(), addresses });
    for (pool, words) in
        [("six", "the pool \"six\" has no IPv4 address"), ("gone", "the configuration has no pool \"gone\"")]
    {
        let hop = NextHop::From(pool.into(), Box::new(smarthost()));
        let report = deliverer(&world).attempt(attempt(hop, &["a@b.test"])).await;
        let [(_, Outcome::Deferred(reply))] = &report.outcomes[..] else { panic!("{report:?}") };
        assert!(reply.text.contains(words), "{reply}");
    }
    assert!(world.sources.lock().expect("whole").is_empty(), "no connection is made from elsewhere");
}

#[tokio::test]
async fn each_outcome_has_the_name_of_whose_words_it_has_rfc3464_2_3_5() {
    let world = World::new();
    let said =
        |report: &Report| report.said_by.iter().map(|(index, who)| (*index, who.to_string())).collect::<Vec<_>>();
    // Nobody is there; then one that refuses a recipient and leaves, and one that has the other; and one that lacks 8BITMIME.
    let report = deliverer(&world).attempt(attempt(smarthost(), &["r@b.test"])).await;
    assert_eq!((results(&report), said(&report)), (vec!["deferred 451".to_owned()], vec![]));
    world.exchange("b.test", Ok(vec![mx(10, "one"), mx(20, "two")]));
    world.name("one", &["192.0.2.1"]);
    world.name("two", &["192.0.2.2"]);
    let answers = vec![("RCPT TO:<no@", "550 5.1.1 no"), ("RCPT TO:<r@", "421 4.3.2 closing")];
    world.serve("192.0.2.1:25", Script { answers, ..willing() });
    world.serve("192.0.2.2:25", willing());
    let report = deliverer(&world).attempt(attempt(exchangers("b.test"), &["no@b.test", "r@b.test"])).await;
    assert_eq!(results(&report), ["failed 550", "delivered 250"]);
    assert_eq!(said(&report), [(0, "one[192.0.2.1]:25".to_owned()), (1, "two[192.0.2.2]:25".to_owned())]);
    world.serve("192.0.2.2:25", Script { keywords: &["SIZE 10"], ..willing() });
    let report = deliverer(&world).attempt(attempt(exchangers("b.test"), &["r@b.test"])).await;
    assert_eq!((results(&report), said(&report)), (vec!["failed 552".to_owned()], vec![]));
    // Who refuses the session has said so.
    world.serve(SINK, Script { greeting: "554 5.3.2 go away", ..willing() });
    let report = deliverer(&world).attempt(attempt(smarthost(), &["r@b.test"])).await;
    assert_eq!((results(&report), said(&report)), (vec!["failed 554".to_owned()], vec![(0, SINK.to_owned())]));
}

#[tokio::test]
async fn each_family_has_its_own_turns_in_a_pool() {
    let world = World::new();
    // Its address of IPv6 is tried first, and there is none in the pool.
    world.exchange("b.test", Ok(vec![mx(10, "both")]));
    world.name("both", &["2001:db8::25", "192.0.2.25"]);
    world.serve("192.0.2.25:25", willing());
    let addresses: Vec<IpAddr> = ["192.0.2.1", "192.0.2.2"].map(|ip| ip.parse().expect("a literal")).to_vec();
    world.pools.lock().expect("whole").push(Pool { name: "ours".into(), addresses: addresses.clone() });
    let deliverer = deliverer(&world);
    for _ in 0..4 {
        let hop = NextHop::From("ours".into(), Box::new(exchangers("b.test")));
        assert_eq!(results(&deliverer.attempt(attempt(hop, &["r@b.test"])).await), ["delivered 250"]);
        world.pass(Duration::from_secs(3600));
        deliverer.connections.sweep();
    }
    let sources: Vec<IpAddr> = world.sources.lock().expect("whole").iter().copied().flatten().collect();
    assert_eq!(sources, [&addresses[..], &addresses].concat());
}

#[tokio::test]
async fn no_connection_from_an_address_that_left_the_pool_is_used_again() {
    let world = World::new();
    world.serve(SINK, willing());
    let pool = |ip: &str| Pool { name: "ours".into(), addresses: vec![ip.parse().expect("a literal")] };
    world.pools.lock().expect("whole").push(pool("192.0.2.1"));
    let mut parts = world.parts(Delivery::default());
    let config = Config::clone(&parts.config.borrow());
    let (reload, force) = watch::channel(Arc::new(config.clone()));
    parts.config = force;
    let deliverer = Deliverer::new(parts);
    let send = || deliverer.attempt(attempt(NextHop::From("ours".into(), Box::new(smarthost())), &["r@b.test"]));
    assert_eq!(
        (results(&send().await), results(&send().await)),
        (vec!["delivered 250".into()], vec!["delivered 250".into()])
    );
    reload.send_replace(Arc::new(Config { pools: vec![pool("192.0.2.2")], ..config }));
    assert_eq!(results(&send().await), ["delivered 250"]);
    let sources: Vec<String> = world.sources.lock().expect("whole").iter().flatten().map(ToString::to_string).collect();
    assert_eq!(sources, ["192.0.2.1", "192.0.2.2"]);
}
