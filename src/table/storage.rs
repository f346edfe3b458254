//! Where the rows of a table lie.

/// Where the rows of a [`Tally`](crate::Tally) or a [shard](crate::shard) lie: [`Inline`], or with the
/// feature `alloc` `Heap`.
///
/// ```
/// use runtally::{Inline, Storage, Tally};
///
/// /// Works on either.
/// fn devices<S: Storage>(tally: &Tally<u16, u16, 64, 16, S>) -> usize {
///     tally.device_count()
/// }
/// assert_eq!(devices::<Inline>(&Tally::new()), 0);
/// ```
pub trait Storage: kind::Kind {}

/// In arrays inside the value, of the size that the type says. No allocator is needed, and `new` is a
/// `const fn`.
///
/// ```
/// use runtally::{Inline, Tally};
/// static TALLY: Tally<u16, u16, 512, 64, Inline> = Tally::new();
/// assert_eq!(TALLY.device_count(), 0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Inline;

/// On the heap, in vectors that grow with the rows; the numbers in the type are only the limits.
///
/// Rows are added a sixteenth at a time, in place, and none are given back. If there is no memory for
/// more, the call is refused as if the limit were reached, and nothing has changed.
///
/// ```
/// use runtally::{Event, Heap, RunState, Tally};
///
/// // Made where it is: a few hundred bytes, whatever the limits are.
/// let mut tally: Tally<u16, u16, 65_534, 65_534, Heap> = Tally::growing();
/// let event = Event { device: 7, user: Some(1), state: RunState::Fail, at: "2026-11-21T09:30Z".parse()? };
/// assert!(tally.apply(&event)?.is_applied());
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[cfg(feature = "alloc")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Heap;

impl Storage for Inline {}
#[cfg(feature = "alloc")]
impl Storage for Heap {}

pub(super) mod kind {
    /// What a table asks of its storage: rows, and two heads for each there is room for.
    pub trait Kind: Copy {
        type Rows<T, const N: usize>;
        type Heads<H: Copy, const N: usize>;

        fn rows<T, const N: usize>(rows: &Self::Rows<T, N>) -> &[T];
        fn rows_mut<T, const N: usize>(rows: &mut Self::Rows<T, N>) -> &mut [T];
        fn heads<H: Copy, const N: usize>(heads: &Self::Heads<H, N>) -> &[[H; 2]];
        fn heads_mut<H: Copy, const N: usize>(heads: &mut Self::Heads<H, N>) -> &mut [[H; 2]];

        /// Adds a row; the row back if there is no room.
        fn push<T, const N: usize>(rows: &mut Self::Rows<T, N>, row: T) -> Result<(), T>;
        fn clear<T, const N: usize>(rows: &mut Self::Rows<T, N>);

        /// Makes room for `more` rows, or up to the limit, with heads that are `none`. True if there are
        /// more heads now: then every row is to be filed anew.
        fn grow<T, H: Copy, const N: usize>(
            rows: &mut Self::Rows<T, N>,
            heads: &mut Self::Heads<H, N>,
            more: usize,
            none: H,
        ) -> bool;

        /// True if there is room for `more` rows, or up to the limit.
        fn has_room<T, H: Copy, const N: usize>(
            rows: &Self::Rows<T, N>,
            heads: &Self::Heads<H, N>,
            more: usize,
        ) -> bool;

        /// The bytes they take on the heap.
        fn heap_bytes<T, H: Copy, const N: usize>(
            rows: &Self::Rows<T, N>,
            heads: &Self::Heads<H, N>,
        ) -> usize;

        fn clone_rows<T: Clone, const N: usize>(rows: &Self::Rows<T, N>) -> Self::Rows<T, N>;
        fn clone_heads<H: Copy, const N: usize>(heads: &Self::Heads<H, N>) -> Self::Heads<H, N>;
    }

    impl Kind for super::Inline {
        type Rows<T, const N: usize> = heapless::Vec<T, N, u16>;
        type Heads<H: Copy, const N: usize> = [[H; 2]; N];

        #[inline]
        fn rows<T, const N: usize>(rows: &Self::Rows<T, N>) -> &[T] {
            rows
        }

        #[inline]
        fn rows_mut<T, const N: usize>(rows: &mut Self::Rows<T, N>) -> &mut [T] {
            rows
        }

        #[inline]
        fn heads<H: Copy, const N: usize>(heads: &Self::Heads<H, N>) -> &[[H; 2]] {
            heads
        }

        #[inline]
        fn heads_mut<H: Copy, const N: usize>(heads: &mut Self::Heads<H, N>) -> &mut [[H; 2]] {
            heads
        }

        #[inline]
        fn push<T, const N: usize>(rows: &mut Self::Rows<T, N>, row: T) -> Result<(), T> {
            rows.push(row)
        }

        #[inline]
        fn clear<T, const N: usize>(rows: &mut Self::Rows<T, N>) {
            rows.clear();
        }

        /// There is room for `N` from the start.
        #[inline]
        fn grow<T, H: Copy, const N: usize>(
            _: &mut Self::Rows<T, N>,
            _: &mut Self::Heads<H, N>,
            _: usize,
            _: H,
        ) -> bool {
            false
        }

        #[inline]
        fn has_room<T, H: Copy, const N: usize>(
            _: &Self::Rows<T, N>,
            _: &Self::Heads<H, N>,
            _: usize,
        ) -> bool {
            true
        }

        #[inline]
        fn heap_bytes<T, H: Copy, const N: usize>(
            _: &Self::Rows<T, N>,
            _: &Self::Heads<H, N>,
        ) -> usize {
            0
        }

        fn clone_rows<T: Clone, const N: usize>(rows: &Self::Rows<T, N>) -> Self::Rows<T, N> {
            rows.clone()
        }

        fn clone_heads<H: Copy, const N: usize>(heads: &Self::Heads<H, N>) -> Self::Heads<H, N> {
            *heads
        }
    }

    #[cfg(feature = "alloc")]
    impl Kind for super::Heap {
        type Rows<T, const N: usize> = alloc::vec::Vec<T>;
        type Heads<H: Copy, const N: usize> = alloc::vec::Vec<[H; 2]>;

        #[inline]
        fn rows<T, const N: usize>(rows: &Self::Rows<T, N>) -> &[T] {
            rows
        }

        #[inline]
        fn rows_mut<T, const N: usize>(rows: &mut Self::Rows<T, N>) -> &mut [T] {
            rows
        }

        #[inline]
        fn heads<H: Copy, const N: usize>(heads: &Self::Heads<H, N>) -> &[[H; 2]] {
            heads
        }

        #[inline]
        fn heads_mut<H: Copy, const N: usize>(heads: &mut Self::Heads<H, N>) -> &mut [[H; 2]] {
            heads
        }

        fn push<T, const N: usize>(rows: &mut Self::Rows<T, N>, row: T) -> Result<(), T> {
            // Never more than was reserved: pushing would abort where there is no memory.
            if rows.len() >= rows.capacity().min(N) {
                return Err(row);
            }
            rows.push(row);
            Ok(())
        }

        fn clear<T, const N: usize>(rows: &mut Self::Rows<T, N>) {
            rows.clear();
        }

        fn grow<T, H: Copy, const N: usize>(
            rows: &mut Self::Rows<T, N>,
            heads: &mut Self::Heads<H, N>,
            more: usize,
            none: H,
        ) -> bool {
            if Self::has_room::<T, H, N>(rows, heads, more) {
                return false;
            }
            let len = rows.len();
            let step = more.max((len / 16).saturating_add(4));
            let target = len.saturating_add(step).min(N);
            let more_heads = target.saturating_sub(heads.len());
            // Room for rows without their heads is of no use, and does no harm.
            if rows.try_reserve_exact(target.saturating_sub(len)).is_err()
                || heads.try_reserve_exact(more_heads).is_err()
            {
                return false;
            }
            heads.resize(target.max(heads.len()), [none; 2]);
            more_heads > 0
        }

        #[inline]
        fn has_room<T, H: Copy, const N: usize>(
            rows: &Self::Rows<T, N>,
            heads: &Self::Heads<H, N>,
            more: usize,
        ) -> bool {
            rows.len().saturating_add(more).min(N) <= rows.capacity().min(heads.len())
        }

        fn heap_bytes<T, H: Copy, const N: usize>(
            rows: &Self::Rows<T, N>,
            heads: &Self::Heads<H, N>,
        ) -> usize {
            let heads = heads.capacity().saturating_mul(size_of::<[H; 2]>());
            rows.capacity().saturating_mul(size_of::<T>()).saturating_add(heads)
        }

        fn clone_rows<T: Clone, const N: usize>(rows: &Self::Rows<T, N>) -> Self::Rows<T, N> {
            rows.clone()
        }

        fn clone_heads<H: Copy, const N: usize>(heads: &Self::Heads<H, N>) -> Self::Heads<H, N> {
            heads.clone()
        }
    }
}
