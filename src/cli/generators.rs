//! The option `--generator`, the same in every subcommand that takes one.

use std::str::FromStr;

use clap::Args;

use crate::symmetry::{Combination, CombinationError, MEASURED};

/// Which generators are measured.
#[derive(Debug, Args)]
pub(super) struct GeneratorArgs {
    /// Generators, for which alone tangents are computed: names, combinations such as 'rotate+0.5*saturate', several
    /// with commas between, or all; may be repeated [default: all in lee, translate_x in layers and antialias].
    #[arg(short, long = "generator", alias = "generators", value_name = "NAME,…|all", allow_hyphen_values = true)]
    generators: Vec<Listed>,
}

/// What stands between commas.
#[derive(Clone, Debug, PartialEq)]
struct Listed(Vec<Item>);

#[derive(Clone, Debug, PartialEq)]
enum Item {
    All,
    This(Combination),
}

impl FromStr for Listed {
    type Err = CombinationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let item = |text: &str| match text.trim() {
            "all" => Ok(Item::All),
            name => name.parse().map(Item::This),
        };
        text.split(',').map(item).collect::<Result<_, _>>().map(Self)
    }
}

impl GeneratorArgs {
    /// Whether any were given.
    pub(super) fn are_given(&self) -> bool {
        !self.generators.is_empty()
    }

    /// What was given, each once: `all` is the measured generators.
    pub(super) fn measured(&self) -> Vec<Combination> {
        self.with(|| MEASURED.into_iter().map(Combination::single).collect())
    }

    /// What was given, each once: `all` is the measured generators and the three that follow from them.
    pub(super) fn named(&self) -> Vec<Combination> {
        self.with(Combination::all)
    }

    fn with(&self, all: impl Fn() -> Vec<Combination>) -> Vec<Combination> {
        let mut found: Vec<Combination> = Vec::new();
        let items = self.generators.iter().flat_map(|listed| &listed.0);
        for combination in items.flat_map(|item| match item {
            Item::All => all(),
            Item::This(combination) => vec![combination.clone()],
        }) {
            if !found.iter().any(|known| known.name() == combination.name()) {
                found.push(combination);
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(lists: &[&str]) -> Vec<String> {
        let generators = lists.iter().map(|list| list.parse().unwrap()).collect();
        GeneratorArgs { generators }.named().iter().map(|c| c.name().to_owned()).collect()
    }

    #[test]
    fn names_combinations_commas_and_all_are_one_list() {
        assert_eq!(names(&["rotate, 2*scale-saturate", "rotate"]), ["rotate", "2*scale-saturate"]);
        let all = names(&["scale,all"]);
        assert_eq!((all.len(), all[0].as_str(), all[1].as_str()), (10, "scale", "translate_x"));
        assert!("rotate,".parse::<Listed>().is_err() && "rotat".parse::<Listed>().is_err());
    }
}
