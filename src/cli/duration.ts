// Durations as people write them: 500ms, 30s, 5m, 2h. A plain number is seconds.
import { SwarmdiskError } from '../base/errors.js'

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

/** Milliseconds, above zero. */
export function parseDuration(text: string, flag: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text.trim())
  const duration = Number(match?.[1]) * (UNITS[match?.[2] ?? 's'] ?? NaN)
  // Timers hold 31 bits of milliseconds.
  if (duration > 0 && duration < 2 ** 31) return duration
  throw new SwarmdiskError(
    'bad-input',
    `${flag} must be a duration like 30s or 5m, up to 24 days, not "${text}".`,
  )
}
