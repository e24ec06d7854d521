// Sizes as people write them (10G, 512MiB, 4096) and as tables show them. Powers of 1024
// throughout.
import { SwarmdiskError } from '../base/errors.js'

const UNITS = ['', 'K', 'M', 'G', 'T', 'P'] as const

/** Bytes, or 'bad-input'. A unit may be written K, KB or KiB, in either case. */
export function parseSize(text: string, flag: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*(?:([KMGTP])(?:i?B)?|B)?$/i.exec(text.trim())
  const power = UNITS.indexOf((match?.[2] ?? '').toUpperCase() as (typeof UNITS)[number])
  const bytes = Number(match?.[1]) * 1024 ** power
  if (!match || !Number.isSafeInteger(bytes)) {
    throw new SwarmdiskError(
      'bad-input',
      `${flag} must be a size like 512M, 10G or 4096, not "${text}".`,
    )
  }
  return bytes
}

/** For people: 1.5 GiB. */
export function formatSize(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024
    unit++
  }
  const digits = unit === 0 || value >= 100 || Number.isInteger(value) ? 0 : 1
  return `${value.toFixed(digits)} ${unit === 0 ? 'B' : `${UNITS[unit] ?? ''}iB`}`
}
