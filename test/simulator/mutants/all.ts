// Every mutant that the simulator must catch.
import { CLUSTER_MUTANTS } from './cluster-mutants.js'
import { LAYER_MUTANTS } from './layer-mutants.js'
import { MANAGER_MUTANTS } from './manager-mutants.js'
import type { Mutant } from './mutant.js'
import { SCRUB_MUTANTS } from './scrub-mutants.js'
import { SHARD_MUTANTS } from './shard-mutants.js'

export const MUTANTS: readonly Mutant[] = [
  ...SHARD_MUTANTS,
  ...MANAGER_MUTANTS,
  ...CLUSTER_MUTANTS,
  ...LAYER_MUTANTS,
  ...SCRUB_MUTANTS,
]
