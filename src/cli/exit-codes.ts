// The documented exit codes: one for each error code, the same in every command. Scripts rely on
// them, so a number is never reused.
import type { ErrorCode } from '../base/errors.js'

export const EXIT_CODES: Readonly<Record<ErrorCode, number>> = {
  'bad-input': 2,
  'wrong-cluster': 3,
  'data-directory': 4,
  'in-use': 5,
  'not-found': 6,
  refused: 7,
  unreachable: 8,
  environment: 9,
  'disk-full': 10,
  'disk-error': 11,
  'io-timeout': 12,
  aborted: 13,
  corrupt: 14,
  'data-lost': 15,
  protocol: 16,
  undecided: 17,
  fenced: 18,
  incomplete: 19,
}

/** An assertion failed, or something was thrown that nobody expected: a bug in swarmdisk. */
export const EXIT_BUG = 70
