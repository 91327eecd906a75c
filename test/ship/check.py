"""Checks a model with the onnx package: the checker, then strict shape inference. Prints what was inferred."""
import json
import sys

import onnx

model = onnx.load(sys.argv[1])
onnx.checker.check_model(model, full_check=True)
inferred = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
shapes = {
    value.name: [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]
    for value in [*inferred.graph.value_info, *inferred.graph.output]
}
missing = [name for node in inferred.graph.node for name in node.output if name not in shapes]
print(json.dumps({"outputs": {o.name: shapes[o.name] for o in inferred.graph.output}, "missing": missing}))
