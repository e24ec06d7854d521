// How messages, entries and states of the Raft core are written in scenarios and traces. An entry
// is `index/term`, with its value or `{members}` after a colon.
import { valueOf } from './raft-node.js'
import type { Envelope } from './raft-group.js'
import type { LogEntry, RaftMessage } from '../../../src/net/manager-messages.js'
import type { RaftEffects } from '../../../src/manager/raft/raft-types.js'

export function entryText({ index, term, members, data }: LogEntry): string {
  const value = members ? `:{${members.join(' ')}}` : data.length > 0 ? `:${valueOf(data)}` : ''
  return `${index}/${term}${value}`
}

export function entriesText(entries: readonly LogEntry[]): string {
  return entries.length > 0 ? entries.map(entryText).join(' ') : 'nothing'
}

export function envelopeText({ from, to, message }: Envelope): string {
  return `${from}>${to} ${message.kind} term ${message.term}${messageText(message)}`
}

function messageText(message: RaftMessage): string {
  switch (message.kind) {
    case 'vote-request': {
      const { pre, takeOver, lastIndex, lastTerm } = message
      return `${pre ? ' pre' : ''}${takeOver ? ' take-over' : ''}, has ${lastIndex}/${lastTerm}`
    }
    case 'vote-reply':
      return `${message.pre ? ' pre' : ''} ${message.granted ? 'granted' : 'refused'}`
    case 'append': {
      const { previousIndex, previousTerm, entries, commit } = message
      return `, after ${previousIndex}/${previousTerm}: ${entriesText(entries)}, commit ${commit}`
    }
    case 'append-reply': {
      const { accepted, index, hintTerm } = message
      return accepted ? ` accepted ${index}` : ` refused, perhaps ${index}/${hintTerm}`
    }
    case 'heartbeat':
      return `, commit ${message.commit}`
    case 'snapshot': {
      const { index, term, members, data } = message.snapshot
      return ` of ${index}/${term}:{${members.join(' ')}} "${valueOf(data)}"`
    }
    case 'heartbeat-reply':
    case 'take-over':
      return ''
  }
}

/** What a step makes durable; null if nothing. */
export function writeText({ hardState, snapshot, entries }: RaftEffects): string | null {
  const parts = [
    hardState ? `term ${hardState.term} vote ${hardState.vote ?? '-'}` : '',
    snapshot ? `snapshot ${snapshot.index}/${snapshot.term}` : '',
    entries.length > 0 ? entriesText(entries) : '',
  ].filter(part => part !== '')
  return parts.length > 0 ? parts.join(', ') : null
}
