// Sizes of snapshots: configurations and deltas as they were kept before volumes could grow, which
// are still written so where that suffices, and as they are kept since.
import { readFileSync } from 'node:fs'
import test from 'tape'
import { byteCount, epoch, volumeId } from '../../../src/base/brands.js'
import type { Change } from '../../../src/layout/change.js'
import type { Configuration } from '../../../src/layout/configuration.js'
import { difference } from '../../../src/layout/delta.js'
import {
  decodeChange,
  decodeConfiguration,
  decodeDelta,
  encodeChange,
  encodeConfiguration,
  encodeDelta,
} from '../../../src/net/codecs/configuration.js'
import { testConfiguration, testVolume } from '../../helpers/configurations.js'

const FIXTURE = new URL('../../fixtures/formats/sizes-4-5.json', import.meta.url)
const stored = JSON.parse(readFileSync(FIXTURE, 'utf8')) as Record<string, string>

const at = '2026-01-01T00:00:00.000Z'

/** One volume with one snapshot of this size. */
function snapped(size = testVolume().size): Configuration {
  const volume = testVolume({
    layers: [
      { id: 1, parent: 0, covers: [{ first: 1, last: 1 }] },
      { id: 3, parent: 1, covers: [{ first: 2, last: 3 }] },
    ],
    snapshots: [{ name: 's', layer: 1, at, epoch: epoch(7), size, source: null }],
  })
  const volumes = new Map([[volumeId(1), volume]])
  return testConfiguration({ volumes, nextVolume: volumeId(7) })
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const bytes = (name: string): Uint8Array => Buffer.from(stored[name] ?? '', 'hex')

test('versions 4 and 5 are read as they were written, and written as they were', t => {
  for (const [version, configuration] of [
    [4, snapped()],
    [5, snapped(byteCount(4096))],
  ] as const) {
    const known = `configuration${version}`
    t.deepEqual(decodeConfiguration(bytes(known)), configuration, known)
    t.equal(hex(encodeConfiguration(configuration)), stored[known], `${known} written`)
    const empty = { ...configuration, volumes: new Map(), epoch: epoch(4) }
    const delta = difference(empty, configuration)
    t.deepEqual(decodeDelta(bytes(`delta${version}`)), delta, `delta${version}`)
    t.equal(hex(encodeDelta(delta)), stored[`delta${version}`], `delta${version} written`)
  }
  t.end()
})

test('change 25 is read as it was written, and written as it was', t => {
  const change: Change = {
    ...{ kind: 'volume-resized', volume: volumeId(7), size: byteCount(2 ** 40) },
  }
  t.deepEqual(decodeChange(bytes('volume-resized')), change)
  t.equal(hex(encodeChange(change)), stored['volume-resized'])
  t.end()
})
