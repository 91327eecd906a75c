import { create, toBinary } from "@bufbuild/protobuf";
import {
  AttributeProto_AttributeType as AttributeKind,
  AttributeProtoSchema,
  TensorProto_DataType as ElementType,
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  TensorShapeProtoSchema,
  TypeProto_SequenceSchema,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  ValueInfoProtoSchema,
} from "onnx-buf";

/** Name of the output that {@link withUnreadOutput} prepends. */
export const UNREAD_OUTPUT = "unread";

/** Prepends an output that is a sequence, not a tensor, to the outputs of a model. */
export function withUnreadOutput(model: Uint8Array): Uint8Array {
  const ahead = unreadModel();
  // Concatenated protobuf messages parse as one message, with their lists joined.
  const joined = new Uint8Array(ahead.length + model.length);
  joined.set(ahead);
  joined.set(model, ahead.length);
  return joined;
}

function unreadModel(): Uint8Array {
  const scalar = `${UNREAD_OUTPUT}/scalar`;
  const value = create(AttributeProtoSchema, { name: "value_float", type: AttributeKind.FLOAT, f: 0 });
  const tensorType = create(TypeProto_TensorSchema, {
    elemType: ElementType.FLOAT,
    shape: create(TensorShapeProtoSchema),
  });
  const elemType = create(TypeProtoSchema, { value: { case: "tensorType", value: tensorType } });
  const sequenceType = create(TypeProto_SequenceSchema, { elemType });
  const graph = create(GraphProtoSchema, {
    node: [
      create(NodeProtoSchema, { opType: "Constant", output: [scalar], attribute: [value] }),
      create(NodeProtoSchema, { opType: "SequenceConstruct", input: [scalar], output: [UNREAD_OUTPUT] }),
    ],
    output: [
      create(ValueInfoProtoSchema, {
        name: UNREAD_OUTPUT,
        type: create(TypeProtoSchema, { value: { case: "sequenceType", value: sequenceType } }),
      }),
    ],
  });
  return toBinary(ModelProtoSchema, create(ModelProtoSchema, { graph }));
}
