//! Everything there is: the requests for configurations and for scripts.

#![no_std]
#![no_main]

use core::hint::black_box;

use runtally::http::{Request, Settings};
use runtally::store::Store;

#[path = "../on_panic/link_error.rs"]
mod on_panic;

#[cortex_m_rt::entry]
fn main() -> ! {
    static mut STORE: Store<1, 1, 256, 32> = Store::new();
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
