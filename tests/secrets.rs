//! What is logged of a request and of the settings: everything but secrets. `firmware/run` looks at
//! what `defmt` logs.
#![cfg(feature = "graph")]

use runtally::http::{Request, Settings};

#[test]
fn debug_shows_no_token() {
    let request = Request {
        method: "GET",
        path: "/deviceManagement",
        query: "$top=1",
        authorization: Some("Bearer secret"),
        content_type: Some("application/json"),
        body: b"{}",
    };
    assert_eq!(
        format!("{request:?}"),
        "Request { method: \"GET\", path: \"/deviceManagement\", query: \"$top=1\", \
         authorization: Some(\"redacted\"), content_type: Some(\"application/json\"), \
         body: [123, 125] }"
    );
    let settings = Settings {
        read_tokens: &["secret", "secret too"],
        write_tokens: &["secret three"],
        bare: true,
        origin: "http://127.0.0.1",
        clock: None,
        user_by_id: Some(&|_, _| None),
    };
    assert_eq!(
        format!("{settings:?}"),
        "Settings { read_tokens: 2 redacted, write_tokens: 1 redacted, bare: true, \
         origin: \"http://127.0.0.1\", clock: None, user_by_id: Some(\"a function\") }"
    );
    assert!(format!("{:?}", Request::default()).contains("authorization: None"));
}
