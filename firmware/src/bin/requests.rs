//! Everything: the state machine behind Graph's requests.

#![no_std]
#![no_main]

use core::hint::black_box;

use runtally::http::{Request, Settings};
use runtally::store::Store;
use runtally_firmware::rollout::Gateway;

#[path = "../on_panic/link_error.rs"]
mod on_panic;

#[cortex_m_rt::entry]
fn main() -> ! {
    static mut STORE: Gateway = Store::new();
    static mut BYTES: [u8; 2048] = [0; 2048];

    // The compiler knows nothing of these, so it drops nothing of what may happen.
    let (store, request, bytes): (_, Option<&(Request<'_>, Settings<'_>)>, _) =
        black_box((STORE, None, BYTES));
    loop {
        if let Some((request, settings)) = request {
            black_box(store.handle(request, settings, bytes));
        }
    }
}
