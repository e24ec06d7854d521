// Which answers of a storage server can be those to a question: of others nothing is believed, or a
// scrub might never come to an end. Pure.
import { BLOCK_BYTES, BLOCKS_PER_INDEX_PAGE } from '../../base/limits.js'
import { indexPageOf } from '../../layout/geometry.js'
import type { ScrubReply, ScrubRequest } from '../../net/scrub/messages.js'

export type About = Pick<ScrubRequest, 'layer' | 'page' | 'end' | 'first' | 'mode'>

/** Bytes of an index page. */
const PAGE_BYTES = BLOCK_BYTES

export function isAnswerTo(about: About, { page, found, ...rest }: ScrubReply): boolean {
  const { upTo, flaws, payload } = rest
  if (!found) {
    const goesOn = page > about.page && page <= about.end
    return goesOn && flaws.length === 0 && payload.length === 0
  }
  const isAsked = page >= about.page && page < about.end && payload.length === PAGE_BYTES
  const first = page === about.page ? about.first : 0
  const goesOn = about.mode === 'entries' || (upTo > first && upTo <= BLOCKS_PER_INDEX_PAGE)
  return isAsked && goesOn && flaws.every(({ block }) => indexPageOf(block) === page)
}
