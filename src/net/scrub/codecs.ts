// The codecs of src/net/scrub/messages.ts, as those of src/net/codecs/messages.ts.
import { BLOCK_BYTES, BLOCKS_PER_INDEX_PAGE, FETCH_BLOCKS_MAX } from '../../base/limits.js'
import { boolean, checked, list, plain, record, word } from '../codecs/codec.js'
import * as f from '../codecs/fields.js'
import { payloadMessage, plainMessage } from '../codecs/message-codec.js'
import * as m from './messages.js'

const shardMessage = { volume: f.volumeField, shard: f.shardField, allocation: f.epochField }
const status = word(m.SCRUB_STATUSES)

export const scrubRequest = plainMessage<m.ScrubRequest>(
  record({
    ...shardMessage,
    layer: f.countField,
    page: f.countField,
    end: f.countField,
    first: plain(BLOCKS_PER_INDEX_PAGE),
    mode: word(m.SCRUB_MODES),
  }),
)

const flaw = record<m.FoundFlaw>({
  block: f.blockField,
  flaw: word(m.FLAWS),
  outcome: word(m.FLAW_OUTCOMES),
})

export const scrubReply = payloadMessage<m.ScrubReply>(
  record({
    status,
    allocation: f.epochField,
    page: f.countField,
    found: boolean,
    blocks: f.countField,
    upTo: plain(BLOCKS_PER_INDEX_PAGE + 1),
    flaws: list(flaw, BLOCKS_PER_INDEX_PAGE, 3),
  }),
  { unit: BLOCK_BYTES, least: 0, most: BLOCK_BYTES },
)

export const scrubCompareRequest = plainMessage<m.ScrubCompareRequest>(
  record({
    ...shardMessage,
    layer: f.countField,
    block: f.blockField,
    blocks: checked(plain(FETCH_BLOCKS_MAX + 1), n => (n === 0 ? 'a count of nothing' : null)),
    other: f.peerField,
  }),
)

const entry = record<m.ScrubEntry>({
  state: word(m.BLOCK_STATES),
  epoch: f.epochField,
  checksum: plain(2 ** 32),
})
const different = record<m.DifferentEntries>({ block: f.blockField, own: entry, other: entry })

export const scrubCompareReply = plainMessage<m.ScrubCompareReply>(
  record({
    status,
    allocation: f.epochField,
    different: list(different, FETCH_BLOCKS_MAX, 7),
    open: list(f.blockField, FETCH_BLOCKS_MAX),
  }),
)
