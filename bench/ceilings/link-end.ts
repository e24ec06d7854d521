// One end of a direct link of the product, alone in its process: `answer` listens, and sends small
// frames back and an acknowledgement for large ones; `ask` dials, keeps so many frames under way,
// and counts what comes back. The cluster key in the arguments is made for this run only.
import { assert } from '../../src/base/assert.js'
import { systemClock } from '../../src/base/clock.js'
import { BLOCK_BYTES } from '../../src/base/limits.js'
import { silentLog } from '../../src/base/log.js'
import { systemRandom } from '../../src/base/random.js'
import type { Address } from '../../src/layout/configuration.js'
import { ClusterKey } from '../../src/net/cluster-key.js'
import { IDENTITY_SEED_BYTES, keyPairFromSeed, peerIdOf } from '../../src/net/identity.js'
import type { Link } from '../../src/net/link.js'
import { DirectLinks } from '../../src/net/swarm/direct-links.js'
import { Gate } from '../../src/net/swarm/gate.js'
import { ReusedFrames } from '../../src/net/wire/frame-memory.js'
import type { LinkLoad, LinkRate } from './link.js'
import { answerParent, parentGone, tellParent } from './parent.js'

/** Of a large frame: as long as the answer to a write. */
const ACKNOWLEDGEMENT_BYTES = 16

const [role = '', key = '', port = '0'] = process.argv.slice(2)
const keyPair = keyPairFromSeed(systemRandom.bytes(IDENTITY_SEED_BYTES))
const gate = new Gate({
  ...{ self: peerIdOf(keyPair.publicKey), clusterKey: ClusterKey.parse(key), log: silentLog },
  ...{ clock: systemClock, lost: () => undefined },
  admitted: link => (role === 'answer' ? answerFrames(link) : askOnRequest(link)),
})
const memory = new ReusedFrames()
const links = new DirectLinks({ keyPair, gate, clock: systemClock, memory })

function answerFrames(link: Link): void {
  const events = { drain: () => undefined, closed: () => undefined }
  link.listen({
    ...events,
    frame(frame) {
      const small = frame.byteLength <= BLOCK_BYTES
      const answer = link.allocate(small ? frame.byteLength : ACKNOWLEDGEMENT_BYTES)
      if (small) answer.set(frame)
      link.send(answer)
    },
  })
}

function askOnRequest(link: Link): void {
  let answered: () => void = () => undefined
  link.listen({ frame: () => answered(), drain: () => undefined, closed: () => undefined })
  answerParent(question => {
    const { bytes, depth, seconds } = question as LinkLoad
    const content = Buffer.alloc(bytes, 1)
    const sent: number[] = []
    const took: number[] = []
    const send = (): void => {
      const frame = link.allocate(bytes)
      frame.set(content)
      sent.push(performance.now())
      link.send(frame)
    }
    const began = performance.now()
    const end = began + seconds * 1000
    return new Promise<LinkRate>(resolve => {
      answered = () => {
        const now = performance.now()
        took.push(now - (sent.shift() ?? now))
        if (now < end) return send()
        if (sent.length === 0) resolve(rateOf(took, (now - began) / 1000))
      }
      for (let i = 0; i < depth; i++) send()
    })
  })
  tellParent('ready')
}

function rateOf(took: number[], seconds: number): LinkRate {
  took.sort((a, b) => a - b)
  const at = (part: number): number => (took[Math.floor(took.length * part)] ?? 0) * 1000
  return { perSecond: took.length / seconds, p50Microseconds: at(0.5), p99Microseconds: at(0.99) }
}

if (role === 'answer') {
  const [address] = await links.listen('127.0.0.1', 0)
  tellParent((address as Address).port)
} else {
  const link = await links.dial({ host: '127.0.0.1', port: Number(port) }, null)
  assert(link !== null, 'somebody of this cluster listens there')
}
await parentGone
gate.close()
await links.close()
