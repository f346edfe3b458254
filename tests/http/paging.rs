//! Lists a page at a time: every row once, whatever the size of a page, and an end to it.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value;

use crate::client::{CONFIGURATION, Client, configuration, device, event};

/// What may come or go between two pages.
#[derive(Clone, Copy, Debug)]
enum Change {
    Comes(u8),
    Goes(u8),
    Moves(u8, u8),
}

fn changes() -> impl Strategy<Value = Change> {
    prop_oneof![
        (0..9u8).prop_map(Change::Comes),
        (0..9u8).prop_map(Change::Goes),
        (0..9u8, 0..4u8).prop_map(|(device, user)| Change::Moves(device, user)),
    ]
}

fn devices() -> String {
    configuration(CONFIGURATION, "/deviceRunStates")
}

/// Each device has a user of its own among the first, so that users come and go with devices.
fn change(client: &mut Client, change: Change, minute: usize) {
    let at = format!("2026-11-21T10:{:02}:00Z", minute % 60);
    let user = |number| format!("user{number}@example.com");
    let status = match change {
        Change::Comes(number) => {
            client.send("POST", &devices(), &event(number, Some(&user(number % 4)), "success", &at))
        }
        Change::Goes(number) => {
            client.send("DELETE", &format!("{}/{}", devices(), device(number)), "")
        }
        Change::Moves(number, to) => {
            client.send("POST", &devices(), &event(number, Some(&user(to)), "success", &at))
        }
    };
    assert!([201, 204, 404, 507].contains(&status.status), "{status:?}");
}

fn ids(rows: &[Value]) -> Vec<String> {
    rows.iter().map(|row| row["id"].as_str().expect("rows have ids").to_owned()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    /// A walk over a list that holds still meets its rows in order, each once, and says the same
    /// of them as one long page does.
    #[test]
    fn a_walk_meets_every_row_once(
        before in prop::collection::vec(changes(), 0..24),
        list in select(&["/deviceRunStates", "/userRunStates"][..]),
        top in prop::option::of(1..8u8),
        skip in prop::option::of(0..8u8),
        buffer in 900..6000usize,
    ) {
        let mut client = Client::new();
        for (minute, &it) in before.iter().enumerate() {
            change(&mut client, it, minute);
        }
        let all = client.list(&configuration(CONFIGURATION, list));
        client.buffer = buffer;
        let mut query = vec!["$count=true".to_owned()];
        query.extend(top.map(|top| format!("$top={top}")));
        query.extend(skip.map(|skip| format!("$skip={skip}")));
        let mut next = Some(configuration(CONFIGURATION, &format!("{list}?{}", query.join("&"))));
        let mut rows = Vec::new();
        let mut pages = 0;
        while let Some(to) = next {
            let page = client.get(&to).json();
            prop_assert_eq!(&page["@odata.count"], all.len());
            let on_page = page["value"].as_array().expect("rows").clone();
            prop_assert!(top.is_none_or(|top| on_page.len() <= top.into()));
            pages += 1;
            prop_assert!(pages <= all.len() + 1, "a walk ends");
            next = page["@odata.nextLink"].as_str().map(|link| {
                link.strip_prefix("http://host").expect("the link is whole").to_owned()
            });
            prop_assert!(next.is_none() || !on_page.is_empty(), "a page that goes on has rows");
            rows.extend(on_page);
        }
        prop_assert_eq!(&rows[..], &all[usize::from(skip.unwrap_or(0)).min(all.len())..]);
    }

    /// A walk over a list that changes under it meets every row that is there all the while
    /// exactly once, and ends.
    #[test]
    fn rows_that_stay_are_met_once_while_others_come_and_go(
        before in prop::collection::vec(changes(), 0..24),
        meanwhile in prop::collection::vec(prop::collection::vec(changes(), 0..4), 8),
        list in select(&["/deviceRunStates", "/userRunStates"][..]),
        top in 1..4u8,
    ) {
        let mut client = Client::new();
        let mut minute = 0;
        for it in before {
            change(&mut client, it, minute);
            minute += 1;
        }
        let list = configuration(CONFIGURATION, list);
        let mut stayed = ids(&client.list(&list));
        let mut met = BTreeMap::<String, usize>::new();
        let mut next = Some(format!("{list}?$top={top}"));
        let mut meanwhile = meanwhile.into_iter();
        let mut pages = 0;
        while let Some(to) = next {
            let page = client.get(&to).json();
            for id in ids(page["value"].as_array().expect("rows")) {
                *met.entry(id).or_default() += 1;
            }
            pages += 1;
            prop_assert!(pages <= 7, "a walk ends within the rows there are");
            next = page["@odata.nextLink"].as_str().map(|link| {
                link.strip_prefix("http://host").expect("the link is whole").to_owned()
            });
            for it in meanwhile.next().unwrap_or_default() {
                change(&mut client, it, minute);
                minute += 1;
                let here = ids(&client.list(&list));
                stayed.retain(|id| here.contains(id));
            }
        }
        for id in stayed {
            prop_assert_eq!(met.get(&id), Some(&1), "{} stayed", id);
        }
    }
}

#[test]
fn a_page_of_no_rows_is_the_last() {
    let mut client = Client::new();
    change(&mut client, Change::Comes(1), 0);
    assert_eq!(client.get(&format!("{}?$top=0", devices())).body, r#"{"value":[]}"#);
    assert_eq!(client.get(&format!("{}?$skiptoken=65535", devices())).body, r#"{"value":[]}"#);
}

#[test]
fn a_link_leaves_the_clients_own_words_as_they_are() {
    let mut client = Client::new();
    for number in 0..3 {
        change(&mut client, Change::Comes(number), 0);
    }
    let page = client.get(&format!("/beta{}?$top=1&$skip=1&x=%20y&$select=id", devices())).json();
    assert_eq!(
        page["@odata.nextLink"].as_str(),
        Some(&*format!("http://host/beta{}?$top=1&x=%20y&$select=id&$skiptoken=2", devices()))
    );
}

#[test]
fn a_link_never_carries_what_json_or_a_uri_would_have_to_escape() {
    let mut client = Client::new();
    change(&mut client, Change::Comes(1), 0);
    let text = "the path and the query must be percent-encoded";
    for query in ["x=\"", "x=\\", "x= ", "x=\u{7}", "x=é"] {
        let answer = client.send("GET", &format!("{}?{query}", devices()), "");
        assert_eq!((answer.status, answer.message().as_str()), (400, text), "{query}");
    }
}
