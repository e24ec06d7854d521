// Every mutant that the simulator must catch.
import { SHARD_MUTANTS } from './shard-mutants.js'
import type { Mutant } from './mutant.js'

export const MUTANTS: readonly Mutant[] = [...SHARD_MUTANTS]
