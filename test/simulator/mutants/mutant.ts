// What a mutant is: one rule of swarmdisk left out, as a change of its source text.
import type { Story } from '../pool/job.js'
import type { Mode } from '../run/shape.js'

export interface Edit {
  /** Below src. */
  readonly file: string
  /** Occurs exactly once. */
  readonly find: string
  readonly replace: string
}

export interface Mutant {
  readonly name: string
  /** The rule that it breaks. */
  readonly breaks: string
  readonly edits: readonly Edit[]
  /** Only runs of this kind can show it, and only those are run; by default all are. */
  readonly mode?: Mode
  /** Only this story can show it; default: faults. */
  readonly story?: Story
  /** A seed that is known to catch it. */
  readonly caughtBy: number
}
