import {
  type Admission,
  type Broker,
  type BrokerConnection,
  type BrokerHandler,
  Comet,
  type Command,
  type Controller,
  type ControllerConnection,
  type ControllerHandler,
  type Delivery,
  type Envelope,
  type GraceTarget,
  type GrantedBy,
  type LocatedSession,
  type Member,
  type MemberPage,
  type Members,
  type MembershipAnswer,
  type MembershipOwner,
  MemoryBroker,
  type Presence,
  type PresenceConnection,
  type PresenceHandler,
  type PresenceSession,
  type PreviousConnection,
  type SessionConnection,
  type SessionMembership,
  type Transport,
  UserActivityEvent,
} from 'comet-sse'

/** A broker from exported types only: each port can be implemented. */
class MyBroker implements Broker {
  join(node: BrokerHandler): BrokerConnection {
    const delivery = (envelope: Envelope): Delivery => ({ ...envelope, position: node.id + node.namespace })
    return {
      ready: Promise.resolve(),
      position: () => '',
      compare: (a: string, b: string) => (a === b ? 0 : undefined),
      reach: async (_position: string, _timeout: number) => node.begin(''),
      published: () => undefined,
      publish: async (envelope) => node.deliver(delivery(envelope)),
      close: async () => {},
    }
  }
}

class MyPresence implements Presence {
  join(node: PresenceHandler): PresenceConnection {
    return {
      async connect(session: PresenceSession, rooms: readonly SessionMembership[]): Promise<Admission> {
        const { uid, connection } = session
        node.onActivity([new UserActivityEvent({ type: UserActivityEvent.Type.ONLINE, uid, time: 1n })])
        const previous: PreviousConnection = {
          node: 'n',
          connection,
          start: session.start,
          rooms: [],
          connected: true,
        }
        return { sid: connection, rooms, memberships: [], previous }
      },
      disconnect: async (_session: SessionConnection, _grace: number) => true,
      async endGrace(_target: GraceTarget) {},
      enter: async (owner: MembershipOwner, rid: string, by: GrantedBy): Promise<MembershipAnswer> => {
        return { done: owner.uid === rid && by === 'app', nodes: [] }
      },
      leave: async ({ sid }, _rid) => ({ done: sid === undefined, nodes: ['n'] }),
      setInfo: async (_uid, _info) => true,
      heard: async (_uid, _time: bigint) => {},
      nodesOf: async (target) => ('uid' in target ? ['n'] : []),
      serves: async (_uid, _clientId) => false,
      watch: async (_rid) => () => {},
      secret: async () => 'secret',
      membership: async (_owner: MembershipOwner, _rid: string): Promise<GrantedBy> => 'join',
      locate: async (_sid: string): Promise<LocatedSession> => {
        return { uid: 'alice', node: 'n', connection: 'c', connected: false }
      },
      isOnline: async (_uid) => true,
      roomsOf: async (_uid): Promise<string[]> => ['lobby'],
      members: async (_rid, _page?: MemberPage): Promise<Members> => {
        const members: Member[] = [{ uid: 'alice', info: {} }]
        return { rev: 'e.1', members }
      },
      count: async (_rid) => 1,
      async close() {},
    }
  }
}

class MyController implements Controller {
  join(node: ControllerHandler): ControllerConnection {
    return {
      request: async (_node: string, command: Command, _timeout: number) => await node.handle(command),
      tell: async (command: Command) => void (await node.handle(command)),
      async close() {},
    }
  }
}

// @ts-expect-error
class NoBroker implements Broker {}

export const one = new Comet({
  broker: new MyBroker(),
  presence: new MyPresence(),
  controller: new MyController(),
})
export const other = new Comet({ broker: new MemoryBroker() })
export type { NoBroker }

/** An adapter from exported types only. */
export async function adapt(
  comet: Comet,
  transport: Transport,
  packet: unknown,
): Promise<string | undefined> {
  await comet.connect({
    identity: { uid: 'alice', rooms: ['lobby'] },
    transport,
    rids: ['chat'],
    clientId: 'tab',
  })
  return await comet.receive({ sid: 'sid', identity: 'alice', packet })
}
