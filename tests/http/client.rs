//! A client without a network.

use runtally::http::{Request, Response, Settings};
use runtally::store::{RolloutId, Store, StoreChange};
use serde_json::Value;
use uuid::{Uuid, uuid};

/// Small, so that everything fills up: two configurations and a script of six devices and four
/// users each.
pub(crate) type Small = Store<2, 1, 6, 4>;

pub(crate) const CONFIGURATION: Uuid = uuid!("4a1e0c52-6f0b-4d6e-8f43-0f1d4c7b9a10");
/// Not known at first, but there is room for it.
pub(crate) const OTHER: Uuid = uuid!("5b2f1d63-7a1c-4e7f-9a54-1a2e5d8cab21");
/// There is no room for a third.
pub(crate) const THIRD: Uuid = uuid!("6c3a2e74-8b2d-4f8a-8b65-2b3f6e9dbc32");
pub(crate) const SCRIPT: Uuid = uuid!("7d4b3f85-9c3e-4a9b-9c76-3c4a7fae0d43");
/// What is known at first.
pub(crate) const ROLLOUTS: [RolloutId; 2] =
    [RolloutId::configuration(CONFIGURATION), RolloutId::script(SCRIPT)];

pub(crate) const READ: &str = "Bearer reader";
pub(crate) const WRITE: &str = "Bearer writer";
const SETTINGS: Settings<'_> = Settings {
    read_tokens: &["reader", "old reader"],
    write_tokens: &["writer", "old writer"],
    bare: false,
    origin: "http://host",
    clock: None,
    user_by_id: None,
};

/// A store with one configuration and one script, and whoever asks it.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) store: Box<Small>,
    pub(crate) settings: Settings<'static>,
    pub(crate) buffer: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
    pub(crate) headers: Vec<(&'static str, &'static str)>,
}

impl Client {
    pub(crate) fn new() -> Self {
        let mut store = Box::new(Small::new());
        // The seed is nothing that an answer shows.
        store.reseed(0x5EED);
        for rollout in ROLLOUTS {
            store.insert(rollout).expect("there is room");
        }
        Self { store, settings: SETTINGS, buffer: 1 << 14 }
    }

    /// Asks, and commits what the answer asks for.
    pub(crate) fn ask(&mut self, request: &Request<'_>) -> Answer {
        let (answer, change) = self.plan(request);
        if let Some(change) = change {
            self.commit(&change);
        }
        answer
    }

    /// Asks, and commits nothing.
    pub(crate) fn plan<'r>(&self, request: &Request<'r>) -> (Answer, Option<StoreChange<'r>>) {
        let mut buffer = vec![0xAA; self.buffer];
        let reply = self.store.answer(request, &self.settings, &mut buffer);
        (reply.response.into(), reply.change)
    }

    /// Commits a change that an answer asked for.
    pub(crate) fn commit(&mut self, change: &StoreChange<'_>) {
        let effect = self.store.check(change).expect("an answer asks for what can be done");
        assert_eq!(self.store.commit(change), Ok(effect), "{change:?}");
    }

    /// The same by [`Store::handle`].
    pub(crate) fn handle(&mut self, request: &Request<'_>) -> Answer {
        let mut buffer = vec![0xAA; self.buffer];
        self.store.handle(request, &self.settings, &mut buffer).into()
    }

    /// Asks with the writing token and the right media type; `to` may have a query.
    pub(crate) fn send(&mut self, method: &str, to: &str, body: &str) -> Answer {
        let (path, query) = to.split_once('?').unwrap_or((to, ""));
        self.ask(&Request {
            method,
            path,
            query,
            authorization: Some(WRITE),
            content_type: Some("application/json"),
            body: body.as_bytes(),
        })
    }

    /// The same, and it must be answered with this status.
    #[track_caller]
    pub(crate) fn must(&mut self, status: u16, method: &str, to: &str, body: &str) -> Answer {
        let answer = self.send(method, to, body);
        assert_eq!(answer.status, status, "{method} {to} {body}: {}", answer.body);
        answer
    }

    #[track_caller]
    pub(crate) fn get(&mut self, to: &str) -> Answer {
        self.must(200, "GET", to, "")
    }

    /// The rows of a list, all on one page.
    #[track_caller]
    pub(crate) fn list(&mut self, to: &str) -> Vec<Value> {
        let mut page = self.get(to).json();
        assert_eq!(page.get("@odata.nextLink"), None, "the page is long enough");
        match page["value"].take() {
            Value::Array(rows) => rows,
            other => panic!("a list has rows: {other}"),
        }
    }
}

impl From<Response<'_>> for Answer {
    fn from(response: Response<'_>) -> Self {
        Self {
            status: response.status,
            body: String::from_utf8(response.body.to_vec()).expect("answers are text"),
            headers: response.headers().collect(),
        }
    }
}

impl Answer {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&'static str> {
        self.headers.iter().find(|header| header.0 == name).map(|header| header.1)
    }

    /// An error's message, after a look at the rest of it.
    #[track_caller]
    pub(crate) fn message(&self) -> String {
        assert!(self.status >= 400, "{self:?}");
        assert_eq!(self.header("Content-Type"), Some("application/json"));
        let json = self.json();
        assert_eq!(json["error"]["innerError"]["status"], self.status);
        let code = json["error"]["code"].as_str().expect("a code is a word");
        assert!(code.bytes().all(|byte| byte.is_ascii_alphabetic()), "{code}");
        json["error"]["message"].as_str().expect("a message is text").to_owned()
    }

    #[track_caller]
    pub(crate) fn code(&self) -> String {
        self.json()["error"]["code"].as_str().expect("a code is text").to_owned()
    }
}

/// `{H}` or `{S}` and what follows.
pub(crate) fn configuration(id: Uuid, rest: &str) -> String {
    format!("/deviceManagement/hardwareConfigurations/{id}{rest}")
}

pub(crate) fn script(rest: &str) -> String {
    format!("/deviceManagement/deviceManagementScripts/{SCRIPT}{rest}")
}

/// The id of a user's state, by the rule the documentation states.
pub(crate) fn user_id(rollout: Uuid, upn: &str) -> Uuid {
    Uuid::new_v5(&rollout, upn.to_ascii_lowercase().as_bytes())
}

pub(crate) fn device(number: u8) -> Uuid {
    Uuid::from_u128(0xD0D0_0000_0000_4000_8000_0000_0000_0000 | u128::from(number))
}

/// A configuration's event.
pub(crate) fn event(number: u8, upn: Option<&str>, state: &str, at: &str) -> String {
    let upn = upn.map(|upn| format!(r#""upn":"{upn}","#)).unwrap_or_default();
    let id = device(number);
    format!(
        r#"{{"id":"{id}",{upn}"configurationState":"{state}","lastStateUpdateDateTime":"{at}"}}"#
    )
}

/// A script's event.
pub(crate) fn script_event(number: u8, state: &str, at: &str) -> String {
    let id = device(number);
    format!(r#"{{"id":"{id}","runState":"{state}","lastStateUpdateDateTime":"{at}"}}"#)
}
