// A change that is being decided on, with the configurations it leads from and to.
import type { Change } from '../../layout/change.js'
import type { Configuration } from '../../layout/configuration.js'

export interface Draft {
  readonly before: Configuration
  readonly change: Change
  /** What `apply` makes of the two. */
  readonly after: Configuration
}

/** One stands for all of its kind: "shard 3 of volume data (and 2 more)". Null for none. */
export function firstAndMore(things: readonly string[]): string | null {
  const [first, ...others] = things
  if (first === undefined) return null
  return others.length === 0 ? first : `${first} (and ${others.length} more)`
}

/** The end of a sentence, wherever the rest of it came from. */
export function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`
}
