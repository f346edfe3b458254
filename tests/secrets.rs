//! What is logged of a request and of the settings: everything but secrets. `firmware/run` looks at
//! what `defmt` logs.
#![cfg(feature = "graph")]

use runtally::graph::{Request, Settings};

const SECRETS: [&str; 3] = ["Bearer eyJhbGciOi", "reads-all", "writes-all"];

fn request() -> Request<'static> {
    Request {
        method: "GET",
        path: "/deviceManagement",
        query: "$top=1",
        authorization: Some(SECRETS[0]),
        content_type: Some("application/json"),
        body: b"{}",
    }
}

fn settings() -> Settings<'static> {
    Settings {
        read_token: SECRETS[1],
        write_token: SECRETS[2],
        bare: true,
        origin: "http://127.0.0.1",
    }
}

#[test]
fn debug_shows_no_secret() {
    assert_eq!(
        format!("{:?}", request()),
        "Request { method: \"GET\", path: \"/deviceManagement\", query: \"$top=1\", \
         authorization: Some(Redacted), content_type: Some(\"application/json\"), body: [123, 125] }"
    );
    assert_eq!(
        format!("{:?}", settings()),
        "Settings { read_token: Some(Redacted), write_token: Some(Redacted), bare: true, \
         origin: \"http://127.0.0.1\" }"
    );
    let nobody = format!("{:?}", (Request::default(), Settings::default()));
    assert!(!nobody.contains("Redacted"), "{nobody}");
}
