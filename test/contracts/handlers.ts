import type {
  BrokerHandler,
  Command,
  ControllerHandler,
  Delivery,
  PresenceHandler,
  RoomChange,
  UserActivityEvent,
} from '../../lib/index.ts'

/** A node that takes events, and what it was told. */
export function brokerNode(id: string, namespace = 'test', settings: Partial<BrokerHandler> = {}) {
  const got: Delivery[] = []
  const restored: Delivery[] = []
  const begun: string[] = []
  const statuses: boolean[] = []
  const statusErrors: (Error | undefined)[] = []
  const errors: Error[] = []
  const node: BrokerHandler = {
    id,
    namespace,
    server: `${namespace}.${id}`,
    receives: true,
    history: { age: 60_000, bytes: 1_000_000 },
    begin: (position) => begun.push(position),
    restore: (delivery) => restored.push(delivery),
    deliver: (delivery) => got.push(delivery),
    secret: async () => `the secret of ${namespace}`,
    onError: (error) => errors.push(error),
    onStatus: ({ up, error }) => {
      statuses.push(up)
      statusErrors.push(error)
    },
    ...settings,
  }
  return { node, got, restored, begun, statuses, statusErrors, errors }
}

/** A node that presence tells of activity, and what it was told. */
export function presenceNode(id: string, namespace = 'test', settings: Partial<PresenceHandler> = {}) {
  const events: UserActivityEvent[] = []
  const changes: RoomChange[] = []
  const takenOver: string[] = []
  const node: PresenceHandler = {
    id,
    namespace,
    activity: 'local',
    grace: 5_000,
    onActivity: (some) => events.push(...some),
    onRoomChange: (change) => changes.push(change),
    sessions: () => [],
    onSuperseded: ({ connection }) => takenOver.push(connection),
    onMembershipRestored: () => {},
    onStatus: () => {},
    ...settings,
  }
  return { node, events, changes, takenOver }
}

/** A node that carries out commands. */
export function controllerNode(
  id: string,
  handle: (command: Command) => Promise<unknown>,
  namespace = 'test',
): ControllerHandler {
  return { id, namespace, receives: true, handle, onStatus: () => {} }
}
