//! Users by the ids of their states, with an index and without one.

use std::sync::Mutex;

use runtally::UserHandle;
use runtally::graph::user_state_id;
use runtally::http::{Request, Settings};
use runtally::store::{Kind, RolloutId, StoreChange};
use uuid::Uuid;

use crate::client::{
    Answer, CONFIGURATION, Client, ROLLOUTS, WRITE, configuration, device, event, script,
    script_event, user_id,
};

const ADA: &str = "Ada@example.com";
const BOB: &str = "bob@example.com";

/// A client of whose roll-outs each has two users, Ada with two devices.
fn client() -> Client {
    let mut client = Client::new();
    for (number, upn) in [(1, ADA), (2, BOB), (3, ADA)] {
        let at = format!("2026-11-21T09:30:0{number}Z");
        let event = event(number, Some(upn), "fail", &at);
        client.must(201, "POST", &configuration(CONFIGURATION, "/deviceRunStates"), &event);
        let user = user_id(ROLLOUTS[1].id, upn);
        let declared = format!(
            r#"{{"userPrincipalName":"{upn}","successDeviceCount":0,"errorDeviceCount":0}}"#
        );
        if number < 3 {
            let user = user_id(CONFIGURATION, upn);
            let user = configuration(CONFIGURATION, &format!("/userRunStates/{user}"));
            client.must(200, "PATCH", &user, "{}");
            client.must(201, "POST", &script("/userRunStates"), &declared);
        }
        let event = script_event(number, "fail", &at);
        client.must(
            201,
            "POST",
            &script(&format!("/userRunStates/{user}/deviceRunStates")),
            &event,
        );
    }
    client
}

/// Where a walk through the users of a roll-out finds this one.
fn walk(client: &Client, rollout: RolloutId, id: Uuid) -> Option<UserHandle> {
    let tally = client.store.get(rollout)?.tally();
    let found = tally.users().find(|it| user_state_id(&rollout.id, it.user) == id)?;
    tally.find_user(found.user)
}

/// Asks with this index.
fn ask<'r>(
    client: &Client,
    request: &Request<'r>,
    index: &(dyn Fn(RolloutId, Uuid) -> Option<UserHandle> + Sync),
) -> (Answer, Option<StoreChange<'r>>) {
    let settings = Settings { user_by_id: Some(index), ..client.settings };
    let mut buffer = vec![0xAA; client.buffer];
    let reply = client.store.answer(request, &settings, &mut buffer);
    (reply.response.into(), reply.change)
}

/// Every operation on one user: a method, what follows the user's path, and a body.
fn operations(rollout: RolloutId) -> [(&'static str, &'static str, String); 5] {
    let write = match rollout.kind {
        Kind::Configuration => ("PATCH", "", r#"{"successfulDeviceCount":7}"#.to_owned()),
        Kind::Script => {
            ("POST", "/deviceRunStates", script_event(4, "success", "2026-11-21T10:00:00Z"))
        }
    };
    [
        ("GET", "", String::new()),
        ("GET", "/deviceRunStates", String::new()),
        ("GET", "/deviceRunStates/$count", String::new()),
        write,
        ("DELETE", "", String::new()),
    ]
}

/// Each operation on the user of this name in each roll-out.
fn for_each(upn: &str, mut judge: impl FnMut(RolloutId, Uuid, &Request<'_>)) {
    for rollout in ROLLOUTS {
        let id = user_id(rollout.id, upn);
        for (method, rest, body) in operations(rollout) {
            let rest = format!("/userRunStates/{id}{rest}");
            let path = match rollout.kind {
                Kind::Configuration => configuration(CONFIGURATION, &rest),
                Kind::Script => script(&rest),
            };
            let request = Request {
                method,
                path: &path,
                query: "",
                authorization: Some(WRITE),
                content_type: Some("application/json"),
                body: body.as_bytes(),
            };
            judge(rollout, id, &request);
        }
    }
}

#[test]
fn with_an_index_every_operation_on_a_user_is_answered_as_without() {
    let client = client();
    for_each("ADA@example.com", |rollout, id, request| {
        let asked = Mutex::new(Vec::new());
        let index = |rollout, id| {
            asked.lock().expect("no panic").push((rollout, id));
            walk(&client, rollout, id)
        };
        let (answer, change) = ask(&client, request, &index);
        assert!((200..300).contains(&answer.status), "{request:?}: {answer:?}");
        assert_eq!(change.is_some(), request.method != "GET", "{request:?}");
        assert_eq!((answer, change), client.plan(request), "{request:?}");
        assert_eq!(*asked.lock().expect("no panic"), [(rollout, id)], "asked once: {request:?}");
    });
}

#[test]
fn whom_the_index_does_not_know_is_not_looked_for() {
    let client = client();
    for_each(ADA, |_, _, request| {
        let (answer, change) = ask(&client, request, &|_, _| None);
        assert_eq!((answer.status, &change), (404, &None), "{request:?}");
        assert_eq!(client.plan(request).0.status / 100, 2, "a walk finds her: {request:?}");
    });
}

#[test]
fn a_row_that_is_another_users_or_nobodys_is_a_404() {
    let mut client = client();
    let rows = ROLLOUTS.map(|it| walk(&client, it, user_id(it.id, BOB)).expect("a user"));
    let bobs = |rollout, _: Uuid| rows.get(usize::from(rollout == ROLLOUTS[1])).copied();
    let asks_for_ada = |client: &Client| {
        for_each(ADA, |_, id, request| {
            let (answer, change) = ask(client, request, &bobs);
            assert_eq!((answer.status, &change), (404, &None), "{request:?}");
            assert!(answer.message().contains(&id.to_string()), "{answer:?}");
            assert!(!answer.body.contains("bob"), "{answer:?}");
        });
    };
    asks_for_ada(&client);

    // Bob goes, and his row is nobody's; then it is somebody else's.
    for gone in [
        format!("/deviceRunStates/{}", device(2)),
        format!("/userRunStates/{}", user_id(CONFIGURATION, BOB)),
    ] {
        client.must(204, "DELETE", &configuration(CONFIGURATION, &gone), "");
    }
    assert_eq!(walk(&client, ROLLOUTS[0], user_id(CONFIGURATION, BOB)), None);
    asks_for_ada(&client);
    let eve = event(5, Some("eve@example.com"), "fail", "2026-11-21T09:30:00Z");
    client.must(201, "POST", &configuration(CONFIGURATION, "/deviceRunStates"), &eve);
    assert_eq!(
        walk(&client, ROLLOUTS[0], user_id(CONFIGURATION, "eve@example.com")),
        Some(rows[0])
    );
    asks_for_ada(&client);
    let (answer, _) = ask(
        &client,
        &Request {
            method: "GET",
            path: &configuration(
                CONFIGURATION,
                &format!("/userRunStates/{}", user_id(CONFIGURATION, BOB)),
            ),
            authorization: Some(WRITE),
            ..Request::default()
        },
        &bobs,
    );
    assert_eq!(answer.status, 404, "the row he had is Eve's: {answer:?}");
}

#[test]
fn a_row_beyond_the_table_is_a_404() {
    let client = client();
    let mut large = runtally::Tally::<u16, u16, 64, 64>::new();
    let at = "2026-11-21T09:30:00Z".parse().expect("a date-time");
    for user in 0..64 {
        let event =
            runtally::Event { device: user, user: Some(user), state: runtally::RunState::Fail, at };
        assert!(large.apply(&event).expect("there is room").is_applied());
    }
    let beyond = large.find_user(&63).expect("a user");
    for_each(ADA, |_, _, request| {
        let (answer, change) = ask(&client, request, &|_, _| Some(beyond));
        assert_eq!((answer.status, change), (404, None), "{request:?}");
    });
}
