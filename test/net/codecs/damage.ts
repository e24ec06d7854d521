// Damages encoded values in every way a hostile or broken peer could, and checks that a decoder
// answers with a value or with a SwarmdiskError 'protocol': never with anything else, and never
// after taking much memory.
import type { Test } from 'tape'
import { isSwarmdiskError } from '../../../src/base/errors.js'
import type { SeededRandom } from '../../simulator/seeded-random.js'

export type Decoder = (bytes: Uint8Array) => unknown

/** True: decoded; false: refused as it should be. Everything else is thrown on. */
function survives(decode: Decoder, bytes: Uint8Array): boolean {
  try {
    decode(bytes)
    return true
  } catch (error) {
    if (isSwarmdiskError(error, 'protocol')) return false
    throw error
  }
}

function flipped(random: SeededRandom, good: Uint8Array): Uint8Array {
  const bad = Uint8Array.from(good)
  for (let i = random.below(3); i >= 0; i--) {
    const at = random.below(bad.length)
    bad[at] = bad[at]! ^ (1 << random.below(8))
  }
  return bad
}

/** Long lengths where a short one was: what makes careless decoders allocate. */
function inflated(random: SeededRandom, good: Uint8Array): Uint8Array {
  const at = random.below(good.length)
  const huge = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f, 0]
  return Buffer.concat([good.subarray(0, at), Buffer.from(huge), good.subarray(at + 1)])
}

export function assertSurvivesDamage(
  t: Test,
  name: string,
  options: {
    readonly random: SeededRandom
    readonly decode: Decoder
    readonly samples: readonly Uint8Array[]
  },
): void {
  const { random, decode, samples } = options
  const before = process.memoryUsage().arrayBuffers
  let refused = 0
  let tried = 0
  const attempt = (bytes: Uint8Array): void => {
    tried++
    if (!survives(decode, bytes)) refused++
  }
  for (const good of samples) {
    attempt(Buffer.concat([good, Buffer.from([0])]))
    for (let i = 0; i < 10 && good.length > 0; i++) {
      attempt(good.subarray(0, random.below(good.length)))
      attempt(flipped(random, good))
      attempt(inflated(random, good))
    }
    attempt(random.bytes(random.below(200)))
  }
  const taken = process.memoryUsage().arrayBuffers - before
  t.ok(refused > 0 || tried === 0, `${name}: ${refused} of ${tried} damaged encodings refused`)
  t.ok(taken < 64 * 1024 * 1024, `${name}: no huge allocation`)
}
