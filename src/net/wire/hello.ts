// The first frame of each link in each direction: who speaks, in which roles, since which start.
// The protocol version stands in front of everything, so that every release can read that much of
// every other release's hello and say clearly what is wrong.
import * as c from 'compact-encoding'
import type { ClusterId, Epoch, Incarnation } from '../../base/brands.js'
import { SwarmdiskError } from '../../base/errors.js'
import type { Address } from '../../layout/configuration.js'
import {
  decode,
  decodeFrom,
  encode,
  list,
  nullable,
  plain,
  record,
  sentence,
  word,
  type Codec,
  type CodecState,
} from '../codecs/codec.js'
import * as f from '../codecs/fields.js'
import type { Role } from '../peers.js'

export const PROTOCOL_VERSION = 6

export interface Hello {
  readonly roles: readonly Role[]
  readonly name: string
  readonly incarnation: Incarnation
  /** Drawn at random by every start of a process: links of another start are links of the dead. */
  readonly session: number
  /** Counts the links of that start. */
  readonly connection: number
  readonly cluster: ClusterId | null
  readonly epoch: Epoch
  readonly addresses: readonly Address[]
}

export const SESSION_LIMIT = 2 ** 47

const roles = ['manager', 'storage', 'client'] as const
const hello: Codec<Hello> = record<Hello>({
  roles: list(word(roles), roles.length),
  name: sentence(255),
  incarnation: f.incarnationField,
  session: plain(SESSION_LIMIT),
  connection: plain(Number.MAX_SAFE_INTEGER),
  cluster: nullable(f.clusterField),
  epoch: f.epochField,
  addresses: f.addressesField,
})

export function encodeHello(value: Hello): Uint8Array {
  return Buffer.concat([encode(c.uint, PROTOCOL_VERSION), encode(hello, value)])
}

/** Throws a SwarmdiskError 'protocol', for another version one with a sentence for the log. */
export function decodeHello(entry: CodecState): Hello {
  const version = decodeFrom(c.uint, entry)
  if (version !== PROTOCOL_VERSION) {
    throw new SwarmdiskError(
      'protocol',
      `the peer speaks protocol version ${version}, this release speaks ${PROTOCOL_VERSION}: ` +
        'run the same release everywhere',
    )
  }
  return decode(hello, entry.buffer!.subarray(entry.start, entry.end))
}
