// I4 and I5, seen from outside: whoever answers a client's request with success is a replica of
// that shard by the configuration that it says it has, in this very incarnation, in-sync (and for
// writes and FLUSHes the primary), the request was not made under an allocation before that, and
// who writes or flushes is attached to the volume.
import type { Incarnation, PeerId } from '../../../src/base/brands.js'
import { isAttached } from '../../../src/layout/apply/attachments.js'
import type { DataReply, FlushRequest } from '../../../src/net/messages.js'
import type { Seen } from '../watched-peers.js'
import type { ConfigurationBook } from './configuration-book.js'

export class Fencing {
  readonly #book: ConfigurationBook
  readonly #incarnationOf: (server: PeerId) => Incarnation
  readonly findings: string[] = []

  constructor(book: ConfigurationBook, incarnationOf: (server: PeerId) => Incarnation) {
    this.#book = book
    this.#incarnationOf = incarnationOf
  }

  see({ moment, operation, at, other, request, reply }: Seen): void {
    if (moment !== 'answered') return
    if (operation !== 'read' && operation !== 'write' && operation !== 'flush') return
    const { status, epoch } = reply as DataReply
    if (status !== 'ok') return
    const { volume, shard, epoch: client } = request as FlushRequest
    const record = this.#book.at(epoch)?.volumes.get(volume)
    const allocation = record?.shards[shard]
    const title = `I4: ${operation} of ${volume}/${shard} served by ${at.slice(-4)}`
    if (!allocation) {
      this.findings.push(`${title} at epoch ${epoch}, which does not have it`)
      return
    }
    if (client < allocation.epoch) {
      this.findings.push(`${title} for epoch ${client}, but it is allocated at ${allocation.epoch}`)
    }
    if (client > epoch) {
      this.findings.push(`${title} at epoch ${epoch} for epoch ${client}, which it does not know`)
    }
    if (operation !== 'read' && !isAttached(record, other)) {
      this.findings.push(`${title} for ${other.slice(-4)}, which may not write at epoch ${epoch}`)
    }
    const place = allocation.replicas.findIndex(replica => replica.server === at)
    const replica = allocation.replicas[place]
    const inSync = replica?.state === 'in-sync' && replica.incarnation === this.#incarnationOf(at)
    const right = inSync && (place === 0 || operation === 'read')
    if (!right) this.findings.push(`${title}, which is not in-sync or not the primary`)
  }
}
