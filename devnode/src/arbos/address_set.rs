//! Sets of addresses in ArbOS state: chain owners, cache managers (`arbos/addressSet/addressSet.go` in Nitro).
//!
//! Word 0 of a set is its size and words 1 to size are its members; a sub-space maps each member to its position.

use super::storage::{BurnedOut, Burner, Space, Word};
use crate::evm::Ctx;
use alloy_primitives::{Address, B256, U256};

/// A set, by the spaces that hold it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AddressSet {
    list: Space,
    index: Space,
}

/// Who may call `ArbOwner`.
pub(crate) const CHAIN_OWNERS: AddressSet =
    AddressSet { list: Space::ChainOwners, index: Space::ChainOwnerIndex };
/// Who may change which programs are cached, besides the owners.
pub(crate) const CACHE_MANAGERS: AddressSet =
    AddressSet { list: Space::CacheManagers, index: Space::CacheManagerIndex };
/// Who may mint the chain's native token; nobody here.
pub(crate) const NATIVE_TOKEN_OWNERS: AddressSet =
    AddressSet { list: Space::NativeTokenOwners, index: Space::NativeTokenOwnerIndex };

/// Most members that a precompile lists (`maxGetAllMembers` in `precompiles/ArbOwner.go`).
const MAX_LISTED: u64 = 65_536;

impl AddressSet {
    fn position(self, member: Address) -> U256 {
        self.index.slot(member.into_word())
    }

    fn at(self, position: U256) -> U256 {
        self.list.slot(position.into())
    }

    fn size(self) -> U256 {
        Word(self.list, 0).slot()
    }

    /// Whether `member` is in the set: one read.
    pub(crate) fn contains(
        self,
        ctx: &mut Ctx<'_>,
        burner: &mut Burner,
        member: Address,
    ) -> Result<bool, BurnedOut> {
        Ok(!burner.read(ctx, self.position(member))?.is_zero())
    }

    /// The number of members: one read.
    pub(crate) fn len(self, ctx: &mut Ctx<'_>, burner: &mut Burner) -> Result<U256, BurnedOut> {
        burner.read(ctx, self.size())
    }

    /// All members, in the order of the list: a read for the size and one for each.
    pub(crate) fn members(
        self,
        ctx: &mut Ctx<'_>,
        burner: &mut Burner,
    ) -> Result<Vec<Address>, BurnedOut> {
        let size = self.len(ctx, burner)?.saturating_to::<u64>().min(MAX_LISTED);
        (1..=size).map(|i| Ok(to_address(burner.read(ctx, self.at(U256::from(i)))?))).collect()
    }

    /// Adds `member`, unless it is there.
    pub(crate) fn add(
        self,
        ctx: &mut Ctx<'_>,
        burner: &mut Burner,
        member: Address,
    ) -> Result<(), BurnedOut> {
        if self.contains(ctx, burner, member)? {
            return Ok(());
        }
        let position = self.len(ctx, burner)? + U256::ONE;
        burner.write(ctx, self.position(member), position)?;
        burner.write(ctx, self.at(position), member.into_word().into())?;
        self.len(ctx, burner)?; // Nitro reads the size once more to increment it
        burner.write(ctx, self.size(), position)
    }

    /// Removes `member`; the last one takes its place.
    pub(crate) fn remove(
        self,
        ctx: &mut Ctx<'_>,
        burner: &mut Burner,
        member: Address,
    ) -> Result<(), BurnedOut> {
        let position = burner.read(ctx, self.position(member))?;
        if position.is_zero() {
            return Ok(());
        }
        burner.write(ctx, self.position(member), U256::ZERO)?;
        let size = self.len(ctx, burner)?;
        if position < size {
            let last = burner.read(ctx, self.at(size))?;
            burner.write(ctx, self.at(position), last)?;
            burner.write(ctx, self.index.slot(last.into()), position)?;
        }
        burner.write(ctx, self.at(size), U256::ZERO)?;
        self.len(ctx, burner)?;
        burner.write(ctx, self.size(), size - U256::ONE)
    }

    /// The words of a set with these members, which differ.
    pub(crate) fn genesis(self, members: &[Address]) -> Vec<(U256, U256)> {
        let mut words = vec![(self.size(), U256::from(members.len()))];
        for (i, &member) in members.iter().enumerate() {
            let position = U256::from(i + 1);
            words.push((self.at(position), member.into_word().into()));
            words.push((self.position(member), position));
        }
        words
    }
}

/// The address in a word.
pub(crate) fn to_address(word: U256) -> Address {
    Address::from_word(B256::from(word))
}
