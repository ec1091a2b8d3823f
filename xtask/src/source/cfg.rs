//! Decides which code is built for a system, without code that is only for tests.

use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, Lit, Meta, MetaNameValue, Token};

/// A system that the libraries are built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum System {
    Linux,
    MacOs,
    FreeBsd,
    NetBsd,
}

impl System {
    /// All systems. Code is read for each separately, because one build never has code for two of
    /// them.
    pub(crate) const ALL: [Self; 4] = [Self::Linux, Self::MacOs, Self::FreeBsd, Self::NetBsd];

    /// Returns the name of the system in a cfg.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Linux => "linux",
            Self::MacOs => "macos",
            Self::FreeBsd => "freebsd",
            Self::NetBsd => "netbsd",
        }
    }

    /// Returns whether a build for this system, other than a test, has the item with these
    /// attributes.
    ///
    /// A cfg on something else, such as a feature, counts as true because it may be.
    pub(super) fn builds(self, attributes: &[Attribute]) -> bool {
        !attributes.iter().any(|attribute| {
            let path = attribute.path();
            path.is_ident("test")
                || (path.is_ident("cfg")
                    && attribute.parse_args().is_ok_and(|cfg| self.holds(&cfg) == Some(false)))
        })
    }

    /// Evaluates a predicate. Returns `None` if it depends on something else.
    pub(crate) fn holds(self, predicate: &Meta) -> Option<bool> {
        match predicate {
            Meta::Path(path) if path.is_ident("test") || path.is_ident("doc") => Some(false),
            Meta::Path(path) if path.is_ident("unix") => Some(true),
            Meta::Path(path) if path.is_ident("windows") => Some(false),
            Meta::Path(_) => None,
            Meta::NameValue(pair) => self.is(pair),
            Meta::List(list) => {
                let parts = Punctuated::<Meta, Token![,]>::parse_terminated;
                let parts = list.parse_args_with(parts).ok()?;
                let parts: Vec<_> = parts.iter().map(|part| self.holds(part)).collect();
                if list.path.is_ident("not") {
                    parts.first().copied().flatten().map(|holds| !holds)
                } else if list.path.is_ident("all") {
                    decided(&parts, false)
                } else if list.path.is_ident("any") {
                    decided(&parts, true)
                } else {
                    None
                }
            }
        }
    }

    fn is(self, pair: &MetaNameValue) -> Option<bool> {
        let Expr::Lit(value) = &pair.value else { return None };
        let Lit::Str(text) = &value.lit else { return None };
        let value = text.value();
        if pair.path.is_ident("target_os") {
            Some(value == self.name())
        } else if pair.path.is_ident("target_family") {
            Some(value == "unix")
        } else if pair.path.is_ident("target_vendor") {
            (value == "apple").then_some(self == Self::MacOs)
        } else {
            None
        }
    }
}

/// Returns `decisive` if one part has that value, and the opposite if all parts have that.
fn decided(parts: &[Option<bool>], decisive: bool) -> Option<bool> {
    if parts.contains(&Some(decisive)) {
        Some(decisive)
    } else {
        parts.iter().all(Option::is_some).then_some(!decisive)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the systems that have an item with these attributes.
    fn systems(attributes: &str) -> Vec<&'static str> {
        let item: syn::ItemStruct = syn::parse_str(&format!("{attributes} struct A;")).unwrap();
        let built = System::ALL.iter().filter(|system| system.builds(&item.attrs));
        built.map(|system| system.name()).collect()
    }

    #[test]
    fn code_for_tests_is_not_built() {
        for attributes in [
            "#[test]",
            "#[cfg(test)]",
            "#[derive(Debug)] #[cfg(all(unix, test))]",
            "#[cfg(not(any(not(test), windows)))]",
        ] {
            assert_eq!(systems(attributes), [""; 0], "{attributes}");
        }
    }

    #[test]
    fn each_system_has_its_code() {
        assert_eq!(systems("#[cfg(target_os = \"linux\")]"), ["linux"]);
        assert_eq!(systems("#[cfg(not(target_os = \"linux\"))]"), ["macos", "freebsd", "netbsd"]);
        assert_eq!(systems("#[cfg(target_vendor = \"apple\")] #[cfg(unix)]"), ["macos"]);
        assert_eq!(systems("#[cfg(any(test, target_os = \"netbsd\"))]"), ["netbsd"]);
        assert_eq!(systems("#[cfg(windows)]"), [""; 0]);
    }

    #[test]
    fn code_below_any_other_cfg_is_built() {
        for attributes in [
            "",
            "#[cfg(not(test))]",
            "#[cfg(feature = \"x\")]",
            "#[cfg(not(feature = \"x\"))]",
            "#[cfg(any(test, feature = \"x\"))]",
            "#[cfg_attr(test, derive(Debug))]",
        ] {
            assert_eq!(systems(attributes).len(), 4, "{attributes}");
        }
    }
}
