//! A resource: a Rust struct whose table states every property once.
//!
//! ```text
//! resource! {
//!     /// One user's devices by how a management script ended.
//!     pub struct ScriptUserState = "#microsoft.graph.deviceManagementScriptUserState" {
//!         /// The user.
//!         pub upn: Upn = "userPrincipalName" (not_empty),
//!     }
//! }
//! ```
//!
//! A line has the member's name, its Rust type and the property's name. The type says the kind of
//! the value, the limit of a text, and whether the property is required: an `Option` is not. What
//! it does not say follows in parentheses: a [rule](super::shape::Rules). A member that holds
//! several properties has their list in brackets instead of a name.
//!
//! From the table come the struct, its [`Shape`], its longest JSON, and how it is read and written.
//! Where a document may give some properties only, a second struct is declared below the first: its
//! members have the types that stand behind the `|`.

use serde::ser::{Serialize, SerializeStruct, Serializer};

use super::object::Object;
use super::property::{Slot, Value};
use super::shape::{Field, Rules, Select, Shape};
use super::{BufferFull, Error};

/// A resource that is written.
pub(crate) trait Resource {
    fn shape(&self) -> &'static Shape;

    /// What a field of the shape is written as.
    fn value(&self, field: &Field) -> Value<'_>;
}

/// A resource that is read.
pub(super) trait Fill<'a> {
    /// Where the value of a field of the shape goes.
    fn slot(&mut self, field: &Field) -> Slot<'_, 'a>;
}

/// The JSON of a resource at the start of `buffer`; gives its length in bytes.
pub(super) fn encode(resource: &impl Serialize, buffer: &mut [u8]) -> Result<usize, BufferFull> {
    serde_json_core::to_slice(resource, buffer).map_err(|_| BufferFull)
}

/// The properties of a resource that are wanted. Its type's name is always written.
pub(crate) struct Selected<'r, R: ?Sized>(pub(crate) &'r R, pub(crate) Select);

impl<R: Resource + ?Sized> Serialize for Selected<'_, R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(resource, Select(mut wanted)) = *self;
        let shape = resource.shape();
        let mut object = serializer.serialize_struct(shape.odata_type, shape.fields.len())?;
        for field in shape.fields {
            let value = match field.member {
                Field::TYPE => Value::Str(shape.odata_type),
                _ if wanted & 1 == 0 => Value::Absent,
                _ => match resource.value(field) {
                    Value::Absent if field.rules.has(Rules::NULL) => Value::Null,
                    value => value,
                },
            };
            wanted >>= 1;
            match value {
                Value::Absent => object.skip_field(field.name)?,
                value => object.serialize_field(field.name, &value)?,
            }
        }
        object.end()
    }
}

/// Reads a document into `resource`. If it must be `complete`, every required property must be
/// given; the first that is not is the error.
pub(super) fn read<'a>(
    json: &'a [u8],
    shape: &'static Shape,
    resource: &mut dyn Fill<'a>,
    complete: bool,
) -> Result<(), Error> {
    let mut object = Object::open(json, shape);
    while let Some(field) = object.next() {
        match resource.slot(field) {
            Slot::Count(slot) => put(slot, object.count()),
            Slot::Counter(counts, state) => counts.set(state, object.count()),
            Slot::Int32(slot) => put(slot, object.int32()),
            Slot::Guid(slot) => put(slot, object.guid()),
            Slot::DateTime(slot) => put(slot, object.date_time()),
            Slot::DateTimeOrNull(slot) => *slot = object.date_time_or_null(),
            Slot::RunState(slot) => put(slot, object.run_state()),
            Slot::TextOrNull(slot) => {
                let text = object.text_or_null(slot.limit(), field.rules);
                slot.put(text);
            }
            Slot::Nowhere => object.skip(),
        }
    }
    let given = object.end()?;
    let missing = |(number, field): &(u32, &Field)| {
        field.rules.has(Rules::REQUIRED) && given >> *number & 1 == 0
    };
    match (0..).zip(shape.fields).find(missing) {
        Some((_, field)) if complete => Err(Error::missing(field.name)),
        _ => Ok(()),
    }
}

/// After an error there is no value, and nothing that was read is used.
fn put<T>(slot: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *slot = value;
    }
}

/// Declares a resource: see [the module](self).
macro_rules! resource {
    // Read and written as one struct.
    (
        $(#[$attribute:meta])*
        pub struct $name:ident $(<$a:lifetime>)? = $odata_type:literal {
            $(
                $(#[$doc:meta])*
                pub $member:ident: $kind:ty = $property:tt $(($($rule:ident),+))?,
            )+
        }
    ) => {
        $(#[$attribute])*
        pub struct $name $(<$a>)? { $($(#[$doc])* pub $member: $kind,)+ }

        resource! { @written $name $(<$a>)? = $odata_type {
            $($member: $kind = $property $(($($rule),+))?,)+
        } }
        resource! { @read $name $(<$a>)? { $($member: $kind,)+ } }

        impl<$($a)?> $name<$($a)?> {
            /// Reads a document that gives every property that is required, into
            /// [`EMPTY`](Self::EMPTY).
            pub(crate) fn read(&mut self, json: &$($a)? [u8]) -> Result<(), Error> {
                super::resource::read(json, &SHAPE, self, true)
            }
        }
    };

    // Written as one struct; read as another, in which nothing is required.
    (
        $(#[$attribute:meta])*
        pub struct $name:ident $(<$a:lifetime>)? = $odata_type:literal {
            $(
                $(#[$doc:meta])*
                pub $member:ident: $kind:ty | $given:ty = $property:tt $(($($rule:ident),+))?,
            )+
        }

        $(#[$update_attribute:meta])*
        pub struct $update:ident;
    ) => {
        $(#[$attribute])*
        pub struct $name $(<$a>)? { $($(#[$doc])* pub $member: $kind,)+ }

        $(#[$update_attribute])*
        pub struct $update $(<$a>)? { $($(#[$doc])* pub $member: $given,)+ }

        resource! { @written $name $(<$a>)? = $odata_type {
            $($member: $kind = $property $(($($rule),+))?,)+
        } }
        resource! { @read $update $(<$a>)? { $($member: $given,)+ } }

        impl<$($a)?> $update<$($a)?> {
            /// Reads what a document gives, into [`EMPTY`](Self::EMPTY).
            pub(crate) fn read(&mut self, json: &$($a)? [u8]) -> Result<(), Error> {
                super::resource::read(json, &SHAPE, self, false)
            }

            /// The whole resource, or the first required property that is missing.
            fn whole(&self) -> Result<$name<$($a)?>, Error> {
                Ok($name {
                    $($member: super::property::Update::complete(
                        self.$member,
                        resource!(@name $property),
                    )?,)+
                })
            }
        }
    };

    // The table as data, and what is written.
    (@written $name:ident $(<$a:lifetime>)? = $odata_type:literal {
        $($member:ident: $kind:ty = $property:tt $(($($rule:ident),+))?,)+
    }) => {
        /// The number of each member.
        #[expect(non_camel_case_types, reason = "the members' names")]
        enum Number {
            $($member,)+
        }

        pub(crate) static SHAPE: super::shape::Shape = {
            use super::shape::{Field, Shape, count, fields};
            const FIELDS: [Field; count($name::MEMBERS)] = fields($name::MEMBERS);
            Shape { odata_type: $odata_type, fields: &FIELDS }
        };

        const _: () = {
            use super::property::{Property, Value};
            use super::resource::{Resource, Selected};
            use super::shape::{Field, Member, Select, Shape, longest};

            impl<$($a)?> $name<$($a)?> {
                const MEMBERS: &'static [Member] = &[$(Member {
                    names: resource!(@names $property),
                    rules: <$kind as Property>::RULES$($(.and(resource!(@rule $rule)))+)?,
                    longest: <$kind as Property>::LONGEST,
                },)+];

                /// The most bytes of JSON: of all members, or of those that are always written.
                const fn longest(always_written: bool) -> usize {
                    longest($odata_type, Self::MEMBERS, always_written)
                }
            }

            impl<$($a)?> Resource for $name<$($a)?> {
                fn shape(&self) -> &'static Shape {
                    &SHAPE
                }

                fn value(&self, field: &Field) -> Value<'_> {
                    $(if field.member == Number::$member as u8 {
                        return self.$member.value(field.part);
                    })+
                    Value::Absent
                }
            }

            impl<$($a)?> serde::Serialize for $name<$($a)?> {
                fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    Selected(self, Select::ALL).serialize(serializer)
                }
            }
        };
    };

    // What is read.
    (@read $name:ident $(<$a:lifetime>)? { $($member:ident: $kind:ty,)+ }) => {
        const _: () = {
            use super::property::{Read, Slot};
            use super::shape::Field;

            impl<$($a)?> $name<$($a)?> {
                /// Nothing read yet.
                pub(crate) const EMPTY: Self = Self { $($member: <$kind as Read<'_>>::EMPTY,)+ };

                /// The same. Out of line on a small core: to make one takes 200 bytes of code.
                #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
                pub(crate) const fn empty() -> Self {
                    Self::EMPTY
                }
            }

            impl<$($a,)? 'json $(: $a)?> super::resource::Fill<'json> for $name<$($a)?> {
                fn slot(&mut self, field: &Field) -> Slot<'_, 'json> {
                    $(if field.member == Number::$member as u8 {
                        return self.$member.slot(field.part);
                    })+
                    Slot::Nowhere
                }
            }
        };
    };

    (@names [$names:expr]) => { &$names };
    (@names $name:literal) => { &[($name, super::shape::Part::Whole)] };

    (@name [$names:expr]) => { "" };
    (@name $name:literal) => { $name };

    (@rule null) => { super::shape::Rules::NULL };
    (@rule cut) => { super::shape::Rules::CUT };
    (@rule not_empty) => { super::shape::Rules::NOT_EMPTY };
    (@rule empty_is_null) => { super::shape::Rules::EMPTY_IS_NULL };
}
pub(super) use resource;
