// What a mutant is: one rule of swarmdisk left out, as a change of its source text.

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
  /** A seed that is known to catch it. */
  readonly caughtBy: number
}
